#define _GNU_SOURCE
#include "partner.h"

#include "child.h"

#include <fcntl.h>
#include <unistd.h>

struct work {
    const struct partner *partner;
    void (*answer_block)(void *self);
    void *self;
};

static void answer_blocks(void *context) {
    const struct work *work = context;
    char byte;
    close(work->partner->bell[1]);
    while (read(work->partner->bell[0], &byte, 1) == 1)
        work->answer_block(work->self);
}

void partner_start(struct partner *partner, void (*answer_block)(void *self), void *self) {
    struct work work = {partner, answer_block, self};
    if (pipe2(partner->bell, O_CLOEXEC) != 0)
        die("pipe");
    partner->pid = child_fork(answer_blocks, &work);
    close(partner->bell[0]);
}

void partner_wake(const struct partner *partner) {
    if (write(partner->bell[1], "", 1) != 1)
        die("the other process");
}

void partner_stop(struct partner *partner) {
    close(partner->bell[1]);
    child_stop(partner->pid);
}
