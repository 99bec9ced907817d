/* A finder finds each region whose host lives once, and nothing else. */
#define _GNU_SOURCE
#include "unit/finders.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void hosts_that_are_there_and_those_that_come_are_found_once(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name names[] = {named(&base, ".0"), named(&base, ".1"), named(&base, ".2")};
    shmipc_peer *hosts[3];
    hosts[0] = host(names[0].text);
    shmipc_finder *f = finder(base.text);
    must(is_ready(f, 0)); /* for the first list */
    hosts[1] = host(names[1].text);
    char found[2][SHMIPC_NAME_MAX + 1];
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_finder_next(f, found[i], sizeof found[i]), 1);
    must((strcmp(found[0], names[0].text) == 0 && strcmp(found[1], names[1].text) == 0) ||
         (strcmp(found[1], names[0].text) == 0 && strcmp(found[0], names[1].text) == 0));
    finds_nothing(f);
    hosts[2] = host(names[2].text);
    finds(f, names[2].text);
    finds_nothing(f);
    for (int i = 0; i < 3; i++)
        shmipc_free(hosts[i]);
    finds_nothing(f);
    shmipc_finder_free(f);
}

/* One call finds one region; until all are found the descriptor is ready. */
static void the_descriptor_stays_ready_until_all_are_found(void **state) {
    (void)state;
    struct region_name base = new_name();
    shmipc_finder *f = finder(base.text);
    finds_nothing(f);
    shmipc_peer *hosts[2] = {host(named(&base, ".0").text), host(named(&base, ".1").text)};
    must_equal(next(f), 1);
    must(is_ready(f, 0));
    must_equal(next(f), 1);
    finds_nothing(f);
    shmipc_free(hosts[0]);
    shmipc_free(hosts[1]);
    shmipc_finder_free(f);
}

/* A loop that watches by edge calls until nothing is found. */
static void each_host_is_an_edge(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    shmipc_fd fd;
    int loop = epoll_create1(EPOLL_CLOEXEC);
    must_equal(shmipc_finder_get_fd(f, &fd), SHMIPC_OK);
    must_equal(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event), 0);
    must_equal(epoll_wait(loop, &event, 1, 10000), 1);
    for (int i = 0; i < 3; i++) {
        do
            must_equal(next(f), 0);
        while (epoll_wait(loop, &event, 1, 0) == 1);
        shmipc_peer *peer = host(name.text);
        do
            must_equal(epoll_wait(loop, &event, 1, 10000), 1);
        while (next(f) == 0);
        shmipc_free(peer);
    }
    must_equal(close(loop), 0);
    shmipc_finder_free(f);
}

static void the_longest_name_is_found(void **state) {
    (void)state;
    struct region_name base = new_name();
    char longest[SHMIPC_NAME_MAX + 1];
    memset(longest, 'x', SHMIPC_NAME_MAX);
    longest[SHMIPC_NAME_MAX] = '\0';
    memcpy(longest, base.text, strlen(base.text));
    shmipc_finder *f = finder(longest);
    shmipc_peer *peer = host(longest);
    finds(f, longest);
    shmipc_free(peer);
    shmipc_finder_free(f);
}

/* ---- Names that mean another region, or none ---- */

static void a_new_host_of_a_name_is_found_again(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    for (int i = 0; i < 3; i++) {
        shmipc_peer *peer = host(name.text);
        finds(f, name.text);
        finds_nothing(f);
        shmipc_free(peer); /* the next one comes before the finder looks */
    }
    leave_dead_region(name.text);
    shmipc_peer *successor = host(name.text);
    finds(f, name.text);
    finds_nothing(f);
    shmipc_free(successor);
    shmipc_finder_free(f);
}

static void unlink_and_link(const char *name, const char *to) {
    char from_path[256];
    char to_path[256];
    path_of(name, from_path);
    path_of(to, to_path);
    must_equal(link(from_path, to_path), 0);
    must_equal(unlink(from_path), 0);
}

static void a_name_that_vanishes_is_forgotten(void **state) {
    (void)state;
    void (*const moves[])(const char *, const char *) = {move_away, unlink_and_link};
    for (int i = 0; i < 2; i++) {
        struct region_name name = new_name();
        struct region_name elsewhere = new_name();
        shmipc_finder *f = finder(name.text);
        shmipc_peer *peer = host(name.text);
        finds(f, name.text);
        moves[i](name.text, elsewhere.text);
        finds_nothing(f);
        moves[i](elsewhere.text, name.text);
        finds(f, name.text);
        finds_nothing(f);
        shmipc_free(peer);
        shmipc_finder_free(f);
    }
}

static void a_region_with_two_names_is_found_once(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name second = named(&base, ".second");
    char path[256];
    char second_path[256];
    path_of(base.text, path);
    path_of(second.text, second_path);
    shmipc_finder *f = finder(base.text);
    shmipc_peer *peer = host(base.text);
    finds(f, base.text);
    must_equal(link(path, second_path), 0);
    finds_nothing(f);
    must_equal(unlink(second_path), 0);
    finds_nothing(f);
    shmipc_free(peer);
    shmipc_finder_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(hosts_that_are_there_and_those_that_come_are_found_once),
        watched_test(the_descriptor_stays_ready_until_all_are_found),
        watched_test(each_host_is_an_edge),
        watched_test(the_longest_name_is_found),
        watched_test(a_new_host_of_a_name_is_found_again),
        watched_test(a_name_that_vanishes_is_forgotten),
        watched_test(a_region_with_two_names_is_found_once),
    };
    return cmocka_run_group_tests_name("finder", tests, NULL, NULL);
}
