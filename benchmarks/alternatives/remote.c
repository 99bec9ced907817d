#define _GNU_SOURCE
#include "remote.h"

#include "calls/pair.h"
#include "support/child.h"
#include "support/linux/fork.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct remote {
    int ends[2];
    pid_t server, caller;
    char socket[64];
    char length[32];
};

static void command(const struct remote *r, const char *kind, uint64_t ns) {
    if (dprintf(r->ends[1], "%s %llu\n", kind, (unsigned long long)ns) < 0)
        die("remote");
}

static void receive(const struct remote *r, void *data, size_t bytes) {
    char *at = data;
    while (bytes > 0) {
        ssize_t n = read(r->ends[0], at, bytes);
        if (n <= 0)
            die("remote");
        at += n;
        bytes -= (size_t)n;
    }
}

static double block(void *self, uint64_t ns) {
    uint64_t answer[2]; /* nanoseconds, calls */
    command(self, "loop", ns);
    receive(self, answer, sizeof answer);
    return (double)answer[0] / (double)answer[1];
}

static size_t times(void *self, uint64_t ns, uint32_t *times, size_t most) {
    uint64_t count;
    command(self, "times", ns);
    receive(self, &count, sizeof count);
    size_t kept = count < most ? count : most;
    receive(self, times, kept * sizeof *times);
    for (uint32_t dropped; count > kept; count--)
        receive(self, &dropped, sizeof dropped);
    return kept;
}

static void stop(void *self) {
    struct remote *r = self;
    close(r->ends[1]);
    child_wait(r->caller);
    close(r->ends[0]);
    if (r->server) {
        child_stop(r->server);
        unlink(r->socket);
    }
    free(r);
}

static struct remote *allocate(size_t bytes) {
    struct remote *r = calloc(1, sizeof *r);
    if (!r)
        die("memory");
    (void)snprintf(r->length, sizeof r->length, "%zu", bytes);
    return r;
}

static struct subject subject_of(struct remote *r, struct label label) {
    return (struct subject){
        .label = label, .self = r, .unit = 1, .block = block, .times = times, .stop = stop};
}

struct subject remote_start(const char *name, const char *program, size_t bytes) {
    struct remote *r = allocate(bytes);
    char *path = program_path(program);
    (void)snprintf(r->socket, sizeof r->socket, "/dev/shm/bench.%ld.%s", (long)getpid(), name);
    r->server = child_program((char *[]){path, "serve", r->socket, NULL});
    r->caller = child_piped((char *[]){path, "call", r->socket, r->length, NULL}, r->ends);
    free(path);
    return subject_of(r, (struct label){name, "go", bytes, 1, 1, ""});
}

struct subject remote_guest_start(const char *region, size_t bytes, bool held) {
    struct remote *r = allocate(bytes);
    char *path = program_path("bench_caller");
    char *slot = held ? "held" : "pooled";
    r->caller = child_piped((char *[]){path, (char *)region, r->length, slot, NULL}, r->ends);
    free(path);
    return subject_of(r, (struct label){"guest_calls", "go", bytes, 1, 1, held ? "held slot" : ""});
}
