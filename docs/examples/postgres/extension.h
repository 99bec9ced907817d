/* What the files of the module share. */
#ifndef POSTGRES_EXAMPLE_EXTENSION_H
#define POSTGRES_EXAMPLE_EXTENSION_H

/* What the server looks up by its name, and no more: all modules of a backend share their names. */
#define PGDLLEXPORT __attribute__((visibility("default")))

#include <postgres.h> /* before all others */

#include <shmipc/shmipc.h>

/* The message types. */
enum {
    TYPE_UPPER = SHMIPC_TYPE_APPLICATION, /* a text in UTF-8; answered by another */
    TYPE_SLEEP                            /* milliseconds, 8 bytes; answered by nothing */
};

/* Bytes of the largest request, and of the largest answer. */
enum { CAPACITY = 65536 };

/* A message. An answer is valid until the next call. */
struct bytes {
    const void *data;
    size_t length;
};

/* The settings: shmipc_go.prefix and so on. */
extern char *setting_prefix;      /* regions are called <prefix>-0, <prefix>-1 and so on */
extern char *setting_guest_group; /* whose processes may serve this one's region; "": this user's */
extern int setting_timeout;       /* milliseconds that a call may take */
extern char *setting_socket;      /* the path for compare/socket.c */

/* Both make a call; what fails is reported as an error of the statement. */
struct bytes call_go(uint32_t type, struct bytes request);
struct bytes call_socket(uint32_t type, struct bytes request);

/* This backend's region. */
struct region {
    shmipc_peer *host; /* NULL: there is none yet */
    shmipc_fd fd;
    shmipc_slot slot; /* for one call after the other; stale: not claimed */
};

/* Returns it, made if there is none, or reports why there is none. */
struct region *open_region(void);
void close_region(void);

#endif
