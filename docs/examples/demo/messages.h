/* What the demo's host and guests say to each other; guest/messages.go says the same in Go. */
#ifndef DEMO_MESSAGES_H
#define DEMO_MESSAGES_H

#include <assert.h>
#include <shmipc/shmipc.h>
#include <stdint.h>

enum message_type {
    MESSAGE_FILE = SHMIPC_TYPE_APPLICATION, /* file_header, a whole file: answered by digest */
    MESSAGE_BEGIN,                          /* file_header: a file in pieces begins */
    MESSAGE_PIECE,                          /* file_header, the next bytes of that file */
    MESSAGE_END,                            /* file_header: answered by digest */
    MESSAGE_ECHO,                           /* any bytes: answered by the same bytes */
    MESSAGE_PROGRESS,                       /* guest to host: progress */
};

/* Which file a message belongs to, since several are sent at a time. */
struct file_header {
    uint64_t id;
};

struct digest {
    uint8_t sha256[32];
    uint64_t gzipped; /* bytes */
};

/* What the guest has finished so far. */
struct progress {
    uint64_t files;
    uint64_t bytes;
};

static_assert(sizeof(struct file_header) == 8, "as in Go");
static_assert(sizeof(struct digest) == 40, "as in Go");
static_assert(sizeof(struct progress) == 16, "as in Go");

#endif
