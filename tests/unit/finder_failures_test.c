/* A finder that fails says why, and loses no host by it. */
#define _GNU_SOURCE
#include "unit/finders.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void arguments_are_checked(void **state) {
    (void)state;
    char name[SHMIPC_NAME_MAX + 1];
    char longer[SHMIPC_NAME_MAX + 2];
    shmipc_finder *f = (shmipc_finder *)name;
    shmipc_fd fd;
    memset(longer, 'x', SHMIPC_NAME_MAX + 1);
    longer[SHMIPC_NAME_MAX + 1] = '\0';
    must_equal(shmipc_finder_create("x", NULL), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_create("../", &f), SHMIPC_E_NAME);
    must(f == NULL);
    must_equal(shmipc_finder_create(longer, &f), SHMIPC_E_NAME);
    longer[SHMIPC_NAME_MAX] = '\0';
    must_equal(shmipc_finder_create(longer, &f), SHMIPC_OK);
    must_equal(shmipc_finder_get_fd(NULL, &fd), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_get_fd(f, NULL), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_next(NULL, name, sizeof name), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_next(f, NULL, sizeof name), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_next(f, name, sizeof name - 1), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_next(f, name, sizeof name), 0);
    shmipc_finder_free(f);
    shmipc_finder_free(NULL);
}

/* ---- Descriptors ---- */

static int lowest_free_descriptor(void) {
    int lowest = dup(0);
    must(lowest >= 0);
    must_equal(close(lowest), 0);
    return lowest;
}

static void allow_descriptors_below(int end) {
    struct rlimit limit;
    must_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)end;
    must_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Others' files may be reported before it expires. */
static bool timer_is_set(void) {
    struct itimerspec left;
    must_equal(timerfd_gettime(held("anon_inode:[timerfd]"), &left), 0);
    return left.it_value.tv_sec + left.it_value.tv_nsec > 0;
}

/* 0, 1, 2 ... more than there are now. */
static shmipc_finder *finder_with_few_descriptors(int lowest, int needed) {
    for (int more = 0;; more++) {
        shmipc_finder *f;
        int descriptors = count_descriptors();
        allow_descriptors_below(lowest + more);
        int error = shmipc_finder_create(NULL, &f);
        if (error == SHMIPC_OK) {
            must_equal(more, needed);
            return f;
        }
        must_equal(error, SHMIPC_E_NO_DESCRIPTORS);
        must(f == NULL);
        allow_descriptors_below(lowest + 100);
        must_equal(count_descriptors(), descriptors);
    }
}

static int fail_without_descriptors(void *context) {
    (void)context;
    int lowest = lowest_free_descriptor();
    shmipc_finder *f = finder_with_few_descriptors(lowest, 4);
    must_equal(next(f), SHMIPC_E_NO_DESCRIPTORS); /* to list */
    allow_descriptors_below(lowest + 100);
    shmipc_finder_free(f);
    struct region_name name = new_name();
    f = finder(name.text);
    finds_nothing(f);
    shmipc_peer *peer = host(name.text);
    allow_descriptors_below(lowest_free_descriptor());
    answers(f, SHMIPC_E_NO_DESCRIPTORS); /* to look */
    must(timer_is_set());
    must(is_ready(f, 10 * SECOND));
    answers(f, SHMIPC_E_NO_DESCRIPTORS);
    allow_descriptors_below(lowest + 100);
    finds(f, name.text);
    finds_nothing(f);
    shmipc_free(peer);
    shmipc_finder_free(f);
    must_equal(lowest_free_descriptor(), lowest);
    return 0;
}

static void too_few_descriptors_delay_but_lose_nobody(void **state) {
    (void)state;
    must_equal(child_wait(child_start(fail_without_descriptors, NULL)), 0);
}

enum { NOT_ALLOWED = 77 };

/* In a namespace of users that may have none. */
static int fail_without_instances(void *context) {
    (void)context;
    shmipc_finder *f;
    if (unshare(CLONE_NEWUSER) != 0)
        return NOT_ALLOWED;
    int fd = open("/proc/sys/user/max_inotify_instances", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        return NOT_ALLOWED;
    must_equal(close(fd), 0);
    int descriptors = count_descriptors();
    must_equal(shmipc_finder_create(NULL, &f), SHMIPC_E_NO_DESCRIPTORS);
    must(strstr(shmipc_last_error(), "max_user_instances") != NULL);
    must_equal(count_descriptors(), descriptors);
    return 0;
}

static void a_user_without_instances_of_inotify_is_told_so(void **state) {
    (void)state;
    int result = child_wait(child_start(fail_without_instances, NULL));
    if (result == NOT_ALLOWED) {
        print_message("             not tried: no namespace of users for this user here\n");
        skip();
    }
    must_equal(result, 0);
}

static void nothing_stays_open(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *peer = host(name.text);
    int descriptors = count_descriptors();
    for (int i = 0; i < 20; i++) {
        shmipc_finder *f = finder(name.text);
        finds(f, name.text);
        finds_nothing(f);
        must_equal(count_descriptors(), descriptors + 4);
        shmipc_finder_free(f);
    }
    must_equal(count_descriptors(), descriptors);
    shmipc_free(peer);
}

/* ---- Memory ---- */

static bool no_realloc;
static bool no_calloc;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size) {
    return no_realloc ? NULL : __real_realloc(memory, size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size) {
    return no_calloc ? NULL : __real_calloc(count, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void fails_and_finds(shmipc_finder *f, const char *name, bool *none) {
    *none = true;
    answers(f, SHMIPC_E_NO_MEMORY);
    *none = false;
    finds(f, name);
    finds_nothing(f);
    shmipc_finder_free(f);
}

static void too_little_memory_delays_but_loses_nobody(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name other = named(&base, ".other");
    shmipc_finder *told = finder(base.text);
    finds_nothing(told);
    shmipc_finder *remembers = finder(base.text);
    must(plant_object(other.text, (const uint8_t[64]){0}, 64));
    finds_nothing(remembers);
    remove_planted(other.text);
    finds_nothing(remembers);
    finds_nothing(told);
    shmipc_finder_free(told);
    told = finder(base.text);
    finds_nothing(told);
    shmipc_peer *peer = host(base.text);
    fails_and_finds(told, base.text, &no_realloc);
    fails_and_finds(remembers, base.text, &no_realloc); /* it has memory for a name */
    fails_and_finds(finder(base.text), base.text, &no_realloc);
    fails_and_finds(finder(base.text), base.text, &no_calloc);
    no_calloc = true;
    must_equal(shmipc_finder_create(NULL, &told), SHMIPC_E_NO_MEMORY);
    no_calloc = false;
    shmipc_free(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(arguments_are_checked),
        watched_test(too_few_descriptors_delay_but_lose_nobody),
        watched_test(a_user_without_instances_of_inotify_is_told_so),
        watched_test(nothing_stays_open),
        watched_test(too_little_memory_delays_but_loses_nobody),
    };
    return cmocka_run_group_tests_name("finder_failures", tests, NULL, NULL);
}
