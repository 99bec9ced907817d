/*
 * What the fixture needs of Linux.
 */
#define _GNU_SOURCE
#include "support/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The watchdog ---- */

static char watched[200];

static void bark(int signal_number) {
    (void)signal_number;
    (void)!write(STDERR_FILENO, watched, strnlen(watched, sizeof watched));
    abort();
}

void watchdog_start(const char *what, unsigned seconds) {
    (void)snprintf(watched, sizeof watched, "watchdog: %s took more than %u s\n", what, seconds);
    must(signal(SIGALRM, bark) != SIG_ERR);
    alarm(seconds);
}

void watchdog_stop(void) {
    alarm(0);
}

/* ---- Regions ---- */

void path_of(const char *name, char path[static 256]) {
    (void)snprintf(path, 256, "/dev/shm/shmipc.%s", name);
}

bool plant_object(const char *name, const uint8_t header[static 64], uint64_t size) {
    char path[256];
    path_of(name, path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(fd >= 0);
    must_equal(ftruncate(fd, (off_t)size), 0);
    size_t length = size < 64 ? size : 64;
    must_equal(pwrite(fd, header, length, 0), length);
    (void)close(fd);
    return true;
}

void remove_planted(const char *name) {
    char path[256];
    path_of(name, path);
    (void)unlink(path);
}

/* ---- Child processes ---- */

pid_t child_start(int (*body)(void *context), void *context) {
    pid_t parent = getpid();
    pid_t child = fork();
    must(child >= 0);
    if (child != 0)
        return child;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(125);
    _exit(body(context));
}

int child_wait(pid_t child) {
    int status = 0;
    pid_t reaped;
    do {
        reaped = waitpid(child, &status, 0);
    } while (reaped < 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void child_kill(pid_t child) {
    (void)kill(child, SIGKILL);
    (void)child_wait(child);
}

void *shared_memory(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(memory != MAP_FAILED);
    return memory;
}

void shared_memory_free(void *memory, size_t size) {
    must_equal(munmap(memory, size), 0);
}

/* ---- What this process holds ---- */

static int count_entries(const char *directory, const char *prefix) {
    int count = 0;
    DIR *entries = opendir(directory);
    must(entries != NULL);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries))
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && entry->d_name[0] != '.';
    (void)closedir(entries);
    return count;
}

/* Without the one that looks. */
int count_descriptors(void) {
    return count_entries("/proc/self/fd", "") - 1;
}

/* A region that is not published yet is a deleted file of /dev/shm too. */
int count_mappings(void) {
    int count = 0;
    char line[1024];
    FILE *maps = fopen("/proc/self/maps", "re");
    must(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, " /dev/shm/") != NULL;
    (void)fclose(maps);
    return count;
}

int count_regions(void) {
    char prefix[48];
    char full[64];
    name_prefix(prefix);
    (void)snprintf(full, sizeof full, "shmipc.%s", prefix);
    return count_entries("/dev/shm", full);
}
