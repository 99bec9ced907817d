/* A finder misses no host: neither while it begins nor when reports are lost. */
#define _GNU_SOURCE
#include "unit/finders.h"

#include "region/region.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

/* ---- A host that comes while the finder begins ---- */

static const char *comes_with_the_list;
static shmipc_peer *came;
static unsigned lists;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_shmi_object_list(const char *prefix, object_visitor visit, void *context);
int __wrap_shmi_object_list(const char *prefix, object_visitor visit, void *context);
int __wrap_shmi_object_list(const char *prefix, object_visitor visit, void *context) {
    int result = __real_shmi_object_list(prefix, visit, context);
    lists++;
    if (comes_with_the_list != NULL)
        came = host(comes_with_the_list);
    comes_with_the_list = NULL;
    return result;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void a_host_that_comes_just_after_the_list_is_found(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    comes_with_the_list = name.text;
    must_equal(next(f), 0);
    must(came != NULL);
    finds(f, name.text);
    finds_nothing(f);
    shmipc_free(came);
    shmipc_finder_free(f);
}

/* ---- Reports that are lost ---- */

static long most_reports(void) {
    long most = 0;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    must(file != NULL && fscanf(file, "%ld", &most) == 1);
    (void)fclose(file);
    return most;
}

/* At least so many, of a file of no region: it is made and removed. */
static void report(long count) {
    struct region_name name = new_name();
    char path[256];
    path_of(name.text, path);
    for (long i = 0; i < count; i += 2) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        must(fd >= 0);
        must_equal(close(fd), 0);
        must_equal(unlink(path), 0);
    }
}

static void overflow(void) {
    report(most_reports() + 2);
}

/* As if the directory was unmounted. */
static void end_watch(void) {
    must_equal(inotify_rm_watch(held("anon_inode:inotify"), 1), 0);
}

/* A host that came, and one that has moved its file away. */
static void lives_with_the_loss_of_reports(void (*lose)(void)) {
    struct region_name base = new_name();
    struct region_name elsewhere = new_name();
    const struct long_name names[] = {named(&base, ".0"), named(&base, ".1"), named(&base, ".2")};
    shmipc_finder *f = finder(base.text);
    shmipc_peer *hosts[3] = {host(names[0].text), NULL, NULL};
    finds(f, names[0].text);
    finds_nothing(f);
    unsigned before = lists;
    lose();
    move_away(names[0].text, elsewhere.text);
    hosts[1] = host(names[1].text);
    finds(f, names[1].text);
    finds_nothing(f);
    must(lists > before);
    move_away(elsewhere.text, names[0].text);
    finds(f, names[0].text);
    hosts[2] = host(names[2].text);
    finds(f, names[2].text);
    finds_nothing(f);
    for (int i = 0; i < 3; i++)
        shmipc_free(hosts[i]);
    shmipc_finder_free(f);
}

static void nobody_is_missed_when_the_system_drops_reports(void **state) {
    (void)state;
    lives_with_the_loss_of_reports(overflow);
}

static void nobody_is_missed_when_the_watch_is_ended(void **state) {
    (void)state;
    lives_with_the_loss_of_reports(end_watch);
}

/* More than one read takes. Once a loop that watches by edge has seen them, nothing wakes it. */
static void a_host_behind_many_reports_is_found_by_one_call(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    finds_nothing(f);
    report(2000);
    shmipc_peer *peer = host(name.text);
    must_equal(next(f), 1);
    finds_nothing(f);
    shmipc_free(peer);
    shmipc_finder_free(f);
}

static void without_lost_reports_there_is_one_list(void **state) {
    (void)state;
    struct region_name name = new_name();
    unsigned before = lists;
    shmipc_finder *f = finder(name.text);
    for (int i = 0; i < 3; i++) {
        shmipc_peer *peer = host(name.text);
        finds(f, name.text);
        shmipc_free(peer);
        finds_nothing(f);
    }
    must_equal(lists - before, 1);
    shmipc_finder_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_host_that_comes_just_after_the_list_is_found),
        watched_test(nobody_is_missed_when_the_system_drops_reports),
        watched_test(nobody_is_missed_when_the_watch_is_ended),
        watched_test(a_host_behind_many_reports_is_found_by_one_call),
        watched_test(without_lost_reports_there_is_one_list),
    };
    return cmocka_run_group_tests_name("finder_reports", tests, NULL, NULL);
}
