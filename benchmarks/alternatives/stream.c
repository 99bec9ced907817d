#include "stream.h"

#include "support/child.h"
#include "support/linux/fork.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stream {
    int ours[2], theirs[2];
    size_t bytes;
    char *data;
    pid_t partner;
};

static bool read_all(int file, char *data, size_t bytes) {
    while (bytes > 0) {
        ssize_t n = read(file, data, bytes);
        if (n <= 0)
            return false;
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

static bool write_all(int file, const char *data, size_t bytes) {
    while (bytes > 0) {
        ssize_t n = write(file, data, bytes);
        if (n <= 0)
            return false;
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

static void close_both(const int files[2]) {
    close(files[0]);
    if (files[1] != files[0])
        close(files[1]);
}

static void answer(void *self) {
    struct stream *s = self;
    close_both(s->ours);
    while (read_all(s->theirs[0], s->data, s->bytes) &&
           write_all(s->theirs[1], s->data, s->bytes)) {
    }
}

static void run(void *self, uint64_t calls) {
    const struct stream *s = self;
    for (uint64_t i = 0; i < calls; i++) {
        if (!write_all(s->ours[1], s->data, s->bytes) || !read_all(s->ours[0], s->data, s->bytes))
            die("stream");
    }
}

static void stop(void *self) {
    struct stream *s = self;
    close_both(s->ours);
    child_stop(s->partner);
    free(s->data);
    free(s);
}

static pid_t answer_by_program(char *program, const struct stream *s) {
    char bytes[32];
    (void)snprintf(bytes, sizeof bytes, "%zu", s->bytes);
    return child_on((char *[]){program, bytes, NULL}, s->theirs[0]);
}

struct subject stream_start(const char *name, char *program, size_t bytes, const int ours[2],
                            const int theirs[2]) {
    struct stream *s = calloc(1, sizeof *s);
    if (!s)
        die("memory");
    *s = (struct stream){.bytes = bytes, .data = calloc(1, bytes)};
    memcpy(s->ours, ours, sizeof s->ours);
    memcpy(s->theirs, theirs, sizeof s->theirs);
    s->partner = program ? answer_by_program(program, s) : child_fork(answer, s);
    close_both(theirs);
    return (struct subject){.label = {name, program ? "go" : "c", bytes, 1, 1, ""},
                            .self = s,
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}
