/* A finder passes over names with another prefix, what is no region whose host lives, and what it
   may not open. */
#define _GNU_SOURCE
#include "unit/finders.h"

#include "region/region.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void only_names_with_the_prefix_are_found(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name a = named(&base, ".a1");
    shmipc_peer *hosts[] = {host(a.text), host(named(&base, ".b1").text)};
    shmipc_finder *f = finder(named(&base, ".a").text);
    finds(f, a.text);
    finds_nothing(f);
    shmipc_free(hosts[1]);
    hosts[1] = host(named(&base, ".b2").text);
    finds_nothing(f);
    shmipc_finder_free(f);
    const char *const all[] = {NULL, ""};
    for (int i = 0; i < 2; i++) {
        char name[SHMIPC_NAME_MAX + 1];
        int seen = 0;
        f = finder(all[i]);
        while (shmipc_finder_next(f, name, sizeof name) == 1)
            seen += strncmp(name, base.text, strlen(base.text)) == 0;
        must_equal(seen, 2);
        shmipc_finder_free(f);
    }
    shmipc_free(hosts[0]);
    shmipc_free(hosts[1]);
}

static void a_dead_hosts_region_is_passed_over(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name names[] = {named(&base, ".0"), named(&base, ".1")};
    leave_dead_region(names[0].text);
    shmipc_finder *f = finder(base.text);
    finds_nothing(f);
    leave_dead_region(names[1].text);
    finds_nothing(f);
    must_equal(shmipc_remove_dead_regions(base.text), 2);
    shmipc_finder_free(f);
}

/* Where it is a region, its host would be alive. */
static int plant_with_lock(const char *name, const void *header, uint64_t size) {
    char path[256];
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(INT64_C(1) << 62), .l_len = 1};
    must(plant_object(name, header, size));
    path_of(name, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    must(fd >= 0);
    must_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    return fd;
}

static void plants(shmipc_finder *f, const char *name, const void *header, uint64_t size) {
    int fd = plant_with_lock(name, header, size);
    finds_nothing(f);
    must_equal(close(fd), 0);
    remove_planted(name);
}

static void a_file_that_is_no_region_is_passed_over(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    struct geometry g = {.host_slots = 2,
                         .guest_slots = 2,
                         .request_capacity = 64,
                         .response_capacity = 64,
                         .nonce = 1};
    struct header header = {.magic = 0};
    assert_true(shmi_geometry_compute(&g));
    plants(f, name.text, &header, 0);
    plants(f, name.text, "somebody else's notes, 64 bytes of them, that nobody wants found", 64);
    shmi_header_write(&header, &g);
    plants(f, name.text, &header, g.total_size); /* not ready */
    store_relaxed32(&header.ready, READY);
    header.version--;
    plants(f, name.text, &header, g.total_size);
    header.version++;
    int fd = plant_with_lock(name.text, &header, g.total_size);
    finds(f, name.text);
    must_equal(close(fd), 0);
    remove_planted(name.text);
    shmipc_finder_free(f);
}

static void what_is_no_file_is_passed_over(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name other = named(&base, ".other");
    char path[256];
    char target[256];
    shmipc_finder *f = finder(other.text);
    shmipc_peer *peer = host(base.text);
    path_of(base.text, target);
    path_of(other.text, path);
    must_equal(symlink(target, path), 0);
    finds_nothing(f);
    must_equal(unlink(path), 0);
    must_equal(mkdir(path, 0700), 0);
    finds_nothing(f);
    must_equal(rmdir(path), 0);
    shmipc_free(peer);
    shmipc_finder_free(f);
}

/* The pipe's reader would take a process that opens it for a writer. */
static void no_pipe_is_opened(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    char path[256];
    path_of(name.text, path);
    finds_nothing(f);
    must_equal(mkfifo(path, 0600), 0);
    struct pollfd reader = {.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), .events = POLLIN};
    must(reader.fd >= 0);
    finds_nothing(f);
    must_equal(poll(&reader, 1, 0), 0);
    must_equal(close(reader.fd), 0);
    must_equal(unlink(path), 0);
    shmipc_finder_free(f);
}

static void what_is_passed_over_is_no_failure(void **state) {
    (void)state;
    struct region_name name = new_name();
    char text[600];
    must_equal(shmipc_remove_dead_region("../x"), SHMIPC_E_NAME);
    (void)snprintf(text, sizeof text, "%s", shmipc_last_error());
    shmipc_finder *f = finder(name.text);
    plants(f, name.text, (const uint8_t[64]){0}, 64);
    assert_string_equal(shmipc_last_error(), text);
    shmipc_finder_free(f);
}

/* ---- Owners and modes ---- */

static void the_attach_judges_owner_and_mode(void **state) {
    enum { NOBODY = 65534 };
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *peer = host(name.text);
    shmipc_peer *guest;
    char path[256];
    path_of(name.text, path);
    must_equal(chmod(path, 0666), 0);
    if (geteuid() == 0)
        must_equal(chown(path, NOBODY, (gid_t)-1), 0);
    shmipc_finder *f = finder(name.text);
    finds(f, name.text);
    must_equal(shmipc_guest_attach(name.text, NULL, 0, &guest), SHMIPC_E_DENIED);
    shmipc_finder_free(f);
    shmipc_free(peer);
}

/* The superuser may open every file. */
static void become_nobody(void) {
    if (geteuid() == 0)
        must(setgid(65534) == 0 && setuid(65534) == 0);
}

static int find_what_may_be_opened_at_last(void *context) {
    const char *name = context;
    char path[256];
    path_of(name, path);
    become_nobody();
    shmipc_finder *f = finder(name);
    shmipc_peer *peer = host(name);
    must_equal(chmod(path, 0), 0);
    finds_nothing(f);
    must_equal(chmod(path, 0600), 0);
    finds(f, name);
    must_equal(chmod(path, 0640), 0);
    finds_nothing(f);
    shmipc_free(peer);
    shmipc_finder_free(f);
    return 0;
}

static void forbid_and_allow(shmipc_finder *f, const char *name) {
    char path[256];
    path_of(name, path);
    must_equal(chmod(path, 0), 0);
    finds_nothing(f);
    must(access(path, R_OK) != 0);
    must_equal(chmod(path, 0600), 0);
}

static int find_once(void *context) {
    const char *name = context;
    become_nobody();
    shmipc_finder *f = finder(name);
    shmipc_peer *peer = host(name);
    finds(f, name);
    for (int i = 0; i < 2; i++) {
        forbid_and_allow(f, name);
        finds_nothing(f);
    }
    shmipc_free(peer);
    shmipc_finder_free(f);
    return 0;
}

static void a_region_that_may_not_be_opened_for_a_while_is_found_once(void **state) {
    (void)state;
    struct region_name name = new_name();
    must_equal(child_wait(child_start(find_once, name.text)), 0);
}

/* The name means a file that may not be opened, and not the region. */
static int find_again(void *context) {
    const char *name = context;
    struct region_name elsewhere = new_name();
    char path[256];
    path_of(name, path);
    become_nobody();
    shmipc_finder *f = finder(name);
    shmipc_peer *peer = host(name);
    finds(f, name);
    move_away(name, elsewhere.text);
    must(plant_object(name, (const uint8_t[64]){0}, 64));
    forbid_and_allow(f, name);
    remove_planted(name);
    move_away(elsewhere.text, name);
    finds(f, name);
    finds_nothing(f);
    shmipc_free(peer);
    peer = host(name);
    must_equal(chmod(path, 0), 0);
    finds_nothing(f);
    must_equal(chmod(path, 0600), 0);
    finds(f, name);
    shmipc_free(peer);
    shmipc_finder_free(f);
    return 0;
}

static void a_name_that_means_another_file_meanwhile_is_forgotten(void **state) {
    (void)state;
    struct region_name name = new_name();
    must_equal(child_wait(child_start(find_again, name.text)), 0);
}

static void a_region_is_found_when_it_may_be_opened(void **state) {
    (void)state;
    struct region_name name = new_name();
    must_equal(child_wait(child_start(find_what_may_be_opened_at_last, name.text)), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(only_names_with_the_prefix_are_found),
        watched_test(a_dead_hosts_region_is_passed_over),
        watched_test(a_file_that_is_no_region_is_passed_over),
        watched_test(what_is_no_file_is_passed_over),
        watched_test(no_pipe_is_opened),
        watched_test(what_is_passed_over_is_no_failure),
        watched_test(the_attach_judges_owner_and_mode),
        watched_test(a_region_is_found_when_it_may_be_opened),
        watched_test(a_region_that_may_not_be_opened_for_a_while_is_found_once),
        watched_test(a_name_that_means_another_file_meanwhile_is_forgotten),
    };
    return cmocka_run_group_tests_name("finder_passed_over", tests, NULL, NULL);
}
