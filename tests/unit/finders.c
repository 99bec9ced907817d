#define _GNU_SOURCE
#include "unit/finders.h"

#include "support/readable.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- Hosts, and names ---- */

struct long_name named(const struct region_name *base, const char *ending) {
    struct long_name name;
    (void)snprintf(name.text, sizeof name.text, "%s%s", base->text, ending);
    return name;
}

shmipc_peer *host(const char *name) {
    const shmipc_host_config config = test_host_config();
    shmipc_peer *peer;
    must_equal(shmipc_host_create(name, &config, &peer), SHMIPC_OK);
    return peer;
}

struct killed {
    const char *name;
    struct gate *ready;
};

static int host_and_wait(void *context) {
    const struct killed *killed = context;
    (void)host(killed->name);
    gate_pass(killed->ready);
    for (;;)
        pause();
    return 0;
}

void leave_dead_region(const char *name) {
    struct killed killed = {name, shared_memory(sizeof *killed.ready)};
    pid_t child = child_start(host_and_wait, &killed);
    gate_await(killed.ready, 1);
    child_kill(child);
    shared_memory_free(killed.ready, sizeof *killed.ready);
}

void move_away(const char *name, const char *to) {
    char from_path[256];
    char to_path[256];
    path_of(name, from_path);
    path_of(to, to_path);
    must_equal(rename(from_path, to_path), 0);
}

/* ---- A finder ---- */

shmipc_finder *finder(const char *prefix) {
    shmipc_finder *f;
    must_equal(shmipc_finder_create(prefix, &f), SHMIPC_OK);
    return f;
}

int next(shmipc_finder *f) {
    char name[SHMIPC_NAME_MAX + 1];
    return shmipc_finder_next(f, name, sizeof name);
}

bool is_ready(shmipc_finder *f, int64_t timeout) {
    shmipc_fd fd;
    must_equal(shmipc_finder_get_fd(f, &fd), SHMIPC_OK);
    return is_readable(fd, timeout);
}

void finds(shmipc_finder *f, const char *expected) {
    char name[SHMIPC_NAME_MAX + 1] = "";
    int found = 0;
    while (found == 0) {
        must(is_ready(f, 10 * SECOND));
        found = shmipc_finder_next(f, name, sizeof name);
    }
    must_equal(found, 1);
    assert_string_equal(name, expected);
}

void answers(shmipc_finder *f, int result) {
    do
        must_equal(next(f), result);
    while (is_ready(f, 0));
}

void finds_nothing(shmipc_finder *f) {
    answers(f, 0);
}

int held(const char *kind) {
    char link[64];
    char target[64];
    for (int fd = 3; fd < 256; fd++) {
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strcmp(target, kind) == 0)
            return fd;
    }
    return -1;
}
