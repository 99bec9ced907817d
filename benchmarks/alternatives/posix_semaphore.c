#include "posix_semaphore.h"

#include "support/child.h"
#include "support/linux/fork.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

struct shared {
    sem_t there, back;
    char data[];
};

struct semaphore {
    struct shared *shared;
    char *mine;
    size_t bytes;
    pid_t partner;
};

static void wait_for(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0 && errno == EINTR) {
    }
}

static void answer(void *self) {
    const struct semaphore *s = self;
    for (;;) {
        wait_for(&s->shared->there);
        memcpy(s->mine, s->shared->data, s->bytes);
        memcpy(s->shared->data, s->mine, s->bytes);
        sem_post(&s->shared->back);
    }
}

static void run(void *self, uint64_t calls) {
    const struct semaphore *s = self;
    for (uint64_t i = 0; i < calls; i++) {
        memcpy(s->shared->data, s->mine, s->bytes);
        sem_post(&s->shared->there);
        wait_for(&s->shared->back);
        memcpy(s->mine, s->shared->data, s->bytes);
    }
}

static void stop(void *self) {
    struct semaphore *s = self;
    child_stop(s->partner);
    free(s->mine);
    free(s);
}

struct subject semaphore_start(size_t bytes) {
    struct semaphore *s = calloc(1, sizeof *s);
    if (!s)
        die("memory");
    *s = (struct semaphore){.shared = shared_memory(sizeof *s->shared + bytes),
                            .mine = calloc(1, bytes + 1),
                            .bytes = bytes};
    if (sem_init(&s->shared->there, 1, 0) != 0 || sem_init(&s->shared->back, 1, 0) != 0)
        die("semaphore");
    s->partner = child_fork(answer, s);
    return (struct subject){.label = {"semaphore", "c", bytes, 1, 1, ""},
                            .self = s,
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}
