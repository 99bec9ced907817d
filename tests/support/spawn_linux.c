#define _GNU_SOURCE
#include "spawn.h"

#include "fixture.h"

#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 8 };

struct process process_start(const char *const arguments[]) {
    char *copy[ARGUMENTS_MAX] = {0};
    pid_t pid = 0;
    for (int i = 0; arguments[i] != NULL; i++) {
        must(i < ARGUMENTS_MAX - 1);
        copy[i] = (char *)(uintptr_t)arguments[i]; /* it is not changed */
    }
    must_equal(posix_spawn(&pid, copy[0], NULL, NULL, copy, environ), 0);
    return (struct process){.handle = pid, .pid = (uint32_t)pid};
}

int process_wait(struct process process) {
    int status = 0;
    must_equal(waitpid((pid_t)process.handle, &status, 0), process.handle);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void process_kill(struct process process) {
    must_equal(kill((pid_t)process.handle, SIGKILL), 0);
}

void die_with_parent(void) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}
