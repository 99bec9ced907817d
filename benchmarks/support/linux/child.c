#define _GNU_SOURCE
#include "support/child.h"

#include "fork.h"
#include "support/clock.h"
#include "support/placement.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN = 64 };

static pid_t children[CHILDREN];

void die(const char *what) {
    fflush(stdout);
    perror(what);
    exit(EXIT_FAILURE);
}

static void keep(pid_t child) {
    for (int i = 0; i < CHILDREN; i++) {
        if (children[i] == 0) {
            children[i] = child;
            return;
        }
    }
    die("too many children");
}

static void forget(pid_t child) {
    for (int i = 0; i < CHILDREN; i++) {
        if (children[i] == child)
            children[i] = 0;
    }
}

/* The parent may have died before the kernel was told that we die with it. */
static pid_t fork_child(void) {
    pid_t parent = getpid();
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child > 0) {
        keep(child);
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    pin_child(0);
    return 0;
}

pid_t child_fork(void (*body)(void *context), void *context) {
    pid_t child = fork_child();
    if (child == 0) {
        body(context);
        _exit(EXIT_SUCCESS);
    }
    return child;
}

static void open_pipes(int ours[2], int theirs[2]) {
    int down[2];
    int up[2];
    if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0)
        die("pipe");
    theirs[0] = down[0];
    ours[1] = down[1];
    ours[0] = up[0];
    theirs[1] = up[1];
}

static _Noreturn void become(char *const arguments[]) {
    execv(arguments[0], arguments);
    die(arguments[0]);
}

pid_t child_program(char *const arguments[]) {
    pid_t child = fork_child();
    if (child == 0)
        become(arguments);
    return child;
}

int shared_file(void **memory, size_t bytes) {
    int file = memfd_create("bench", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t)bytes) != 0)
        die("memfd_create");
    *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (*memory == MAP_FAILED)
        die("mmap");
    return file;
}

pid_t child_on(char *const arguments[], int file) {
    pid_t child = fork_child();
    if (child == 0) {
        if (dup2(file, STDIN_FILENO) < 0)
            die("dup2");
        become(arguments);
    }
    return child;
}

pid_t child_piped(char *const arguments[], int ends[2]) {
    int theirs[2];
    open_pipes(ends, theirs);
    pid_t child = fork_child();
    if (child == 0) {
        if (dup2(theirs[0], STDIN_FILENO) < 0 || dup2(theirs[1], STDOUT_FILENO) < 0)
            die("dup2");
        become(arguments);
    }
    close(theirs[0]);
    close(theirs[1]);
    return child;
}

void child_wait(pid_t child) {
    waitpid(child, NULL, 0);
    forget(child);
}

void child_stop(pid_t child) {
    kill(child, SIGKILL);
    child_wait(child);
}

void *shared_memory(size_t bytes) {
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        die("shared memory");
    return memory;
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec time = {0};
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

uint64_t cpu_ns(void) {
    uint64_t sum = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < CHILDREN; i++) {
        clockid_t clock;
        if (children[i] && clock_getcpuclockid(children[i], &clock) == 0)
            sum += read_clock(clock);
    }
    return sum;
}
