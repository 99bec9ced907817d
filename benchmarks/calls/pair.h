/* A region with its host, this process, and guests, processes of their own. */
#ifndef BENCHMARKS_PAIR_H
#define BENCHMARKS_PAIR_H

#include <shmipc/shmipc.h>
#include <sys/types.h>

/* What the guests do with a request of a type; of SHMIPC_TYPE_NORMAL they answer the same bytes. */
enum {
    TYPE_SLEEP = SHMIPC_TYPE_APPLICATION, /* sleep as many ms as the request's four bytes say */
    TYPE_COUNT,  /* answer how often this guest slept and woke others, eight bytes */
    TYPE_LENGTH, /* answer as many bytes as the request has, without touching any */
    TYPE_JOB,    /* do the job that the first bytes tell, see job.h; then answer the same bytes */
};

struct pair {
    shmipc_peer *host;
    const char *guest; /* "c" or "go" */
    pid_t guests[SHMIPC_GUESTS_MAX];
    unsigned count;
};

struct pair_config {
    const char *guest;
    const char *program; /* of the guests; NULL: the one that answers what is said above */
    unsigned guests;     /* 0: 1 */
    unsigned workers;    /* threads of a guest in C that serve; 0: 2. In Go there are enough */
    uint32_t slots;      /* 0: the library's default */
    uint32_t capacity;
    int64_t spin_ns; /* 0: the library's choice; -1: none */
};

/* Where the Go programs were built; this program's own directory unless it is set. */
void set_program_directory(const char *directory);
char *program_path(const char *name);

/* What is to be run_in_ns of a subject that calls this pair's guests, see subject.h. */
uint64_t pair_run_in(const struct pair *pair);

struct pair pair_start(struct pair_config config);
void pair_stop(struct pair *pair);

/* The same with a host that is made, and ended, by somebody else: what it is to be called and to
   be; its guests, once it is there; and their end, after its own. */
struct region_name {
    char text[64];
};
struct region_name pair_name(void);
shmipc_host_config pair_host_config(struct pair_config config);
struct pair pair_of(shmipc_peer *host, struct region_name name, struct pair_config config);
void pair_wait(const struct pair *pair);

/* A pair with a guest in C and one with a guest in Go, which the config is otherwise for. */
struct pairs {
    struct pair c, go;
};

struct pairs pairs_start(struct pair_config config);
void pairs_stop(struct pairs *pairs);

/* How often host and guest slept, or woke the other, since they began. */
uint64_t pair_system_calls(const struct pair *pair);

/* Ends the program with the library's sentence, unless `error` is 0. */
void check(int error);

#endif
