#define _GNU_SOURCE
#include "processes.h"

#include "fixture.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 16 };

/* What runs programs for another processor, with its own arguments: SHMIPC_EMULATOR, or nothing. */
static size_t put_emulator(char *words[ARGUMENTS_MAX], char text[static 256]) {
    const char *emulator = getenv("SHMIPC_EMULATOR");
    size_t count = 0;
    char *rest = text;
    (void)snprintf(text, 256, "%s", emulator == NULL ? "" : emulator);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        must(count < ARGUMENTS_MAX);
        words[count++] = word;
    }
    return count;
}

struct process process_start(const char *const arguments[]) {
    char *words[ARGUMENTS_MAX] = {0};
    char text[256];
    size_t before = put_emulator(words, text);
    size_t count = 0;
    pid_t pid = 0;
    while (arguments[count] != NULL)
        count++;
    must(count > 0 && before + count < ARGUMENTS_MAX);
    memcpy(words + before, arguments, count * sizeof *words);
    must_equal(posix_spawnp(&pid, words[0], NULL, NULL, words, environ), 0);
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
