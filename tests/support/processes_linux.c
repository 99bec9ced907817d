#define _GNU_SOURCE
#include "processes.h"

#include "fixture.h"

#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 8 };

struct process process_start(const char *const arguments[]) {
    char *copy[ARGUMENTS_MAX] = {0};
    size_t count = 0;
    pid_t pid = 0;
    while (arguments[count] != NULL)
        count++;
    must(count > 0 && count < ARGUMENTS_MAX);
    memcpy(copy, arguments, count * sizeof *copy);
    must_equal(posix_spawn(&pid, arguments[0], NULL, NULL, copy, environ), 0);
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
