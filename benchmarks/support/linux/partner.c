/* Partners are forked: whatever they need they have. */
#define _GNU_SOURCE
#include "support/partner.h"

#include "fork.h"
#include "support/child.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct partner {
    int eventcount[2];
    pid_t pid;
};

struct work {
    const struct partner *partner;
    const struct role *role;
    void *memory;
};

static void answer_blocks(void *context) {
    const struct work *work = context;
    char byte;
    close(work->partner->eventcount[1]);
    while (read(work->partner->eventcount[0], &byte, 1) == 1)
        work->role->answer_block(work->memory);
}

struct partner *partner_start(const struct role *role, void *memory) {
    struct partner *partner = calloc(1, sizeof *partner);
    struct work work = {partner, role, memory};
    if (!partner || pipe2(partner->eventcount, O_CLOEXEC) != 0)
        die("partner");
    partner->pid = child_fork(answer_blocks, &work);
    close(partner->eventcount[0]);
    return partner;
}

void partner_wake(const struct partner *partner) {
    if (write(partner->eventcount[1], "", 1) != 1)
        die("the other process");
}

void partner_stop(struct partner *partner) {
    close(partner->eventcount[1]);
    child_stop(partner->pid);
    free(partner);
}

/* Nobody is started as a partner. */
void partner_play(int argc, char **argv, const struct role *const roles[]) {
    (void)argc;
    (void)argv;
    (void)roles;
}
