#define _GNU_SOURCE
#include "support/awake.h"

#include "futex.h"
#include "support/affinity.h"
#include "support/child.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSORS = 256 };

static _Atomic uint32_t *awake; /* 1: run; shared with the idlers */
static pid_t idlers[PROCESSORS];

static _Noreturn void idle_on(int processor) {
    const struct sched_param none = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    affinity_bind(processor);
    if (sched_setscheduler(0, SCHED_IDLE, &none) != 0)
        _exit(1);
    for (;;) {
        futex_sleep_while(awake, 0);
        while (atomic_load_explicit(awake, memory_order_relaxed)) {
        }
    }
}

void awake_start(void) {
    cpu_set_t allowed;
    awake = shared_memory(sizeof *awake);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        die("affinity");
    for (int i = 0; i < PROCESSORS; i++) {
        if (CPU_ISSET((size_t)i, &allowed) && (idlers[i] = fork()) == 0)
            idle_on(i);
    }
}

void awake_stop(void) {
    awake = NULL;
    for (int i = 0; i < PROCESSORS; i++) {
        if (idlers[i] > 0) {
            kill(idlers[i], SIGKILL);
            waitpid(idlers[i], NULL, 0);
            idlers[i] = 0;
        }
    }
}

void keep_awake(void) {
    if (awake) {
        atomic_store(awake, 1);
        futex_wake_all(awake);
    }
}

void let_sleep(void) {
    if (awake)
        atomic_store(awake, 0);
}
