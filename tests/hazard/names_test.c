/* Lost names: another program removes one, or a host may not remove its own. */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- A log ---- */

struct hearing {
    atomic_uint warnings;
    char last[300];
};

static void hear(void *context, shmipc_log_level level, const char *text) {
    struct hearing *hearing = context;
    if (level != SHMIPC_LOG_WARN)
        return;
    (void)snprintf(hearing->last, sizeof hearing->last, "%s", text);
    atomic_fetch_add(&hearing->warnings, 1);
}

static shmipc_peer *create_heard(const char *name, struct hearing *hearing) {
    shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    config.log = hear;
    config.log_context = hearing;
    must_equal(shmipc_host_create(name, &config, &host), 0);
    return host;
}

/* ---- A live host loses its name ---- */

static void remove_name(const char *name) {
    char path[256];
    path_of(name, path);
    must_equal(unlink(path), 0);
}

static int serve(shmipc_peer *host) {
    return shmipc_serve(host, echo_handler, NULL);
}

static int wait_for_request(shmipc_peer *host) {
    return shmipc_wait(host, SHMIPC_FOREVER);
}

static int wait_for_guests(shmipc_peer *host) {
    return shmipc_wait_guests(host, SHMIPC_GUESTS_MAX, SHMIPC_FOREVER);
}

static int wait_for_event(shmipc_peer *host) {
    shmipc_event event;
    int error;
    do {
        error = shmipc_next_event(host, SHMIPC_FOREVER, &event);
    } while (error == SHMIPC_OK);
    return error;
}

static int wait_for_slot(shmipc_peer *host) {
    shmipc_slot slot;
    return shmipc_slot_claim(host, SHMIPC_FOREVER, &slot);
}

static int poll_for_ever(shmipc_peer *host) {
    int result;
    do {
        result = shmipc_poll(host, echo_handler, NULL);
        pause_briefly();
    } while (result >= 0);
    return result;
}

/* While its guest is there calls time out; when that has left, for want of the host's name, it is
   no guest that is missing. */
static int call_for_ever(shmipc_peer *host) {
    const shmipc_request request = {.data = NULL};
    int error;
    do {
        error = shmipc_call(host, &request, NULL, MILLISECOND);
    } while (error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_TIMEOUT_STARTED ||
             error == SHMIPC_E_PEER_DIED || error == SHMIPC_E_SHUTDOWN);
    return error;
}

struct waiter {
    pthread_t thread;
    shmipc_peer *host;
    int (*wait)(shmipc_peer *host);
    int result;
};

static void *run_waiter(void *context) {
    struct waiter *waiter = context;
    waiter->result = waiter->wait(waiter->host);
    return NULL;
}

static void waiter_start(struct waiter *waiter, shmipc_peer *host, int (*wait)(shmipc_peer *)) {
    *waiter = (struct waiter){.host = host, .wait = wait};
    waiter->thread = thread_start(run_waiter, waiter);
}

static void waiter_is_told(struct waiter *waiter) {
    thread_join(waiter->thread);
    must_equal(waiter->result, SHMIPC_E_NAME_LOST);
}

static void let_them_sleep(shmipc_peer *host, unsigned sleepers) {
    shmipc_stats stats = {.parks = 0};
    do {
        pause_briefly();
        must_equal(shmipc_get_stats(host, &stats), 0);
    } while (stats.parks < sleepers);
}

/* Each alone, so that it looks itself and is not told by another. */
static void test_every_wait_of_a_host_says_that_its_name_was_removed(void **state) {
    int (*const waits[])(shmipc_peer *) = {serve,          wait_for_request, wait_for_guests,
                                           wait_for_event, poll_for_ever,    call_for_ever};
    (void)state;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        struct hearing hearing = {.warnings = 0};
        struct region_name name = new_name();
        struct waiter waiter;
        shmipc_peer *guest;
        shmipc_peer *host = create_heard(name.text, &hearing);
        must_equal(shmipc_guest_attach(name.text, NULL, SECOND, &guest), 0);
        waiter_start(&waiter, host, waits[i]);
        dawdle(20000000);
        must_equal(atomic_load(&hearing.warnings), 0);
        remove_name(name.text);
        if (waits[i] == call_for_ever)
            shmipc_free(guest);
        waiter_is_told(&waiter);
        must_equal(atomic_load(&hearing.warnings), 1);
        must(strstr(hearing.last, "name") != NULL);
        if (waits[i] != call_for_ever)
            shmipc_free(guest);
        must_equal(shmipc_shutdown(host, SECOND), 0);
        shmipc_free(host);
    }
}

/* To a guest such a host is dead: nobody else can find it. */
static void test_a_guest_that_waits_for_events_hears_of_the_lost_name(void **state) {
    struct hearing hearing = {.warnings = 0};
    struct region_name name = new_name();
    shmipc_peer *guest;
    shmipc_event event;
    (void)state;
    shmipc_peer *host = create_heard(name.text, &hearing);
    must_equal(shmipc_guest_attach(name.text, NULL, SECOND, &guest), 0);
    must_equal(shmipc_next_event(guest, 0, &event), SHMIPC_E_TIMEOUT);
    remove_name(name.text);
    must_equal(shmipc_next_event(guest, SHMIPC_FOREVER, &event), SHMIPC_OK);
    must_equal(event.kind, SHMIPC_EVENT_DIED);
    must_equal(shmipc_next_event(guest, SHMIPC_FOREVER, &event), SHMIPC_E_NO_PEER);
    shmipc_free(guest);
    shmipc_free(host);
}

/* Only one of the waiting threads looks; the others, which sleep for seconds, are woken too. */
static void test_one_look_tells_all_waiters(void **state) {
    int (*const waits[])(shmipc_peer *) = {
        serve, serve, serve, wait_for_request, wait_for_guests, wait_for_event, wait_for_slot};
    enum { WAITERS = sizeof waits / sizeof *waits };
    struct hearing hearing = {.warnings = 0};
    struct region_name name = new_name();
    struct waiter waiters[WAITERS];
    shmipc_slot slots[2];
    (void)state;
    shmipc_peer *host = create_heard(name.text, &hearing);
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_slot_claim(host, 0, &slots[i]), 0);
    for (int i = 0; i < WAITERS; i++)
        waiter_start(&waiters[i], host, waits[i]);
    let_them_sleep(host, 4); /* whose sleeps are counted */
    remove_name(name.text);
    for (int i = 0; i < WAITERS; i++)
        waiter_is_told(&waiters[i]);
    must_equal(atomic_load(&hearing.warnings), 1);
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_slot_release(slots[i]), 0);
    shmipc_free(host);
}

static void test_a_host_without_its_name_begins_no_call(void **state) {
    const shmipc_request request = {.data = NULL};
    struct hearing hearing = {.warnings = 0};
    struct region_name name = new_name();
    shmipc_slot held;
    shmipc_slot slot;
    (void)state;
    shmipc_peer *host = create_heard(name.text, &hearing);
    must_equal(shmipc_slot_claim(host, 0, &held), 0);
    must_equal(shmipc_call(host, &request, NULL, SECOND), SHMIPC_E_NO_PEER);
    remove_name(name.text);
    must_equal(shmipc_call(host, &request, NULL, SECOND), SHMIPC_E_NAME_LOST); /* found by this */
    must_equal(shmipc_call(host, &request, NULL, SECOND), SHMIPC_E_NAME_LOST);
    must_equal(shmipc_ping(host, SECOND, NULL), SHMIPC_E_NAME_LOST);
    must_equal(shmipc_slot_claim(host, 0, &slot), SHMIPC_E_NAME_LOST);
    must_equal(shmipc_slot_send(held, 0, 0, 0), SHMIPC_E_NAME_LOST);
    must_equal(shmipc_slot_call(held, &request, NULL, SECOND), SHMIPC_E_NAME_LOST);
    must_equal(atomic_load(&hearing.warnings), 1);
    shmipc_free(host);
}

static void test_a_name_that_another_took_is_left_to_it(void **state) {
    struct hearing hearing = {.warnings = 0};
    struct region_name name = new_name();
    shmipc_peer *second;
    shmipc_peer *guest;
    (void)state;
    shmipc_peer *first = create_heard(name.text, &hearing);
    remove_name(name.text);
    must_equal(shmipc_host_create(name.text, NULL, &second), 0);
    must_equal(shmipc_wait(first, SHMIPC_FOREVER), SHMIPC_E_NAME_LOST);
    must_equal(shmipc_shutdown(first, SECOND), 0);
    shmipc_free(first);
    must_equal(shmipc_guest_attach(name.text, NULL, SECOND, &guest), 0);
    shmipc_free(guest);
    shmipc_free(second);
}

/* ---- A name that another removes, or takes, as soon as it can; named for the linker ---- */

static bool names_vanish;
static unsigned others_first; /* how often others are faster */

int real_link(int from, const char *old, int to, const char *path,
              int flags) __asm__("__real_linkat");
int test_link(int from, const char *old, int to, const char *path,
              int flags) __asm__("__wrap_linkat");

/* The other's is dead: it can be removed, and is. */
int test_link(int from, const char *old, int to, const char *path, int flags) {
    if (others_first > 0) {
        others_first--;
        errno = EEXIST;
        return -1;
    }
    int result = real_link(from, old, to, path, flags);
    if (names_vanish && result == 0)
        must_equal(unlinkat(to, path, 0), 0);
    return result;
}

static void test_a_name_that_vanishes_during_creation_is_lost(void **state) {
    struct region_name name = new_name();
    int descriptors = count_descriptors();
    int mappings = count_mappings();
    shmipc_peer *host;
    (void)state;
    names_vanish = true;
    must_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_E_NAME_LOST);
    names_vanish = false;
    must(host == NULL);
    must(strstr(shmipc_last_error(), name.text) != NULL);
    must_equal(count_descriptors(), descriptors);
    must_equal(count_mappings(), mappings);
    must_equal(shmipc_host_create(name.text, NULL, &host), 0);
    shmipc_free(host);
}

static void test_a_name_that_others_always_take_first_is_refused(void **state) {
    enum { EVER = 1000, TRIES = 100 };
    struct region_name name = new_name();
    int descriptors = count_descriptors();
    shmipc_peer *host;
    (void)state;
    others_first = EVER;
    must_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_E_NAME_IN_USE);
    must_equal(others_first, EVER - TRIES);
    others_first = 0;
    must(strstr(shmipc_last_error(), "100 times") != NULL);
    must_equal(count_descriptors(), descriptors);
    must_equal(shmipc_host_create(name.text, NULL, &host), 0);
    shmipc_free(host);
}

/* That it was gone when it was to be removed is no failure of the creation. */
static void test_a_name_that_was_taken_for_a_moment_keeps_the_text(void **state) {
    struct region_name name = new_name();
    char text[300];
    shmipc_peer *host;
    (void)state;
    must_equal(shmipc_host_create("a/b", NULL, &host), SHMIPC_E_NAME);
    (void)snprintf(text, sizeof text, "%s", shmipc_last_error());
    others_first = 1;
    must_equal(shmipc_host_create(name.text, NULL, &host), 0);
    must_equal(others_first, 0);
    must(strcmp(shmipc_last_error(), text) == 0);
    shmipc_free(host);
}

/* ---- A process that gives up its rights ---- */

enum { NOBODY = 65534 };

struct overheard {
    char name[64];
    char second[64];
    atomic_uint warnings;
};

static void count_warnings(void *context, shmipc_log_level level, const char *text) {
    struct overheard *o = context;
    if (level == SHMIPC_LOG_WARN && strstr(text, "stays behind") != NULL)
        atomic_fetch_add(&o->warnings, 1);
}

/* What leaving fails at is for the log. */
static void leaving_keeps_the_text(shmipc_peer *host) {
    char text[300];
    shmipc_peer *none;
    must_equal(shmipc_host_create("a/b", NULL, &none), SHMIPC_E_NAME);
    (void)snprintf(text, sizeof text, "%s", shmipc_last_error());
    must_equal(shmipc_close(host), 0);
    must(strcmp(shmipc_last_error(), text) == 0);
    shmipc_free(host);
    must(strcmp(shmipc_last_error(), text) == 0);
}

static int leave_without_rights(void *context) {
    struct overheard *o = context;
    shmipc_host_config config = test_host_config();
    shmipc_peer *second;
    shmipc_peer *host;
    config.log = count_warnings;
    config.log_context = o;
    must_equal(shmipc_host_create(o->name, &config, &host), 0);
    must_equal(shmipc_host_create(o->second, NULL, &second), 0);
    must_equal(setuid(NOBODY), 0);
    must_equal(shmipc_shutdown(host, SECOND), SHMIPC_E_DENIED);
    must_equal(shmipc_last_os_error(), EPERM);
    shmipc_free(host);
    must_equal(atomic_load(&o->warnings), 1);
    must_equal(shmipc_host_create(o->name, NULL, &host), SHMIPC_E_DENIED);
    must(strstr(shmipc_last_error(), "belongs to user 0") != NULL);
    must(strstr(shmipc_last_error(), "65534") != NULL);
    leaving_keeps_the_text(second);
    return 0;
}

static void test_a_name_that_may_not_be_removed_is_told(void **state) {
    struct region_name name = new_name();
    struct overheard *o = shared_memory(sizeof *o);
    char path[256];
    (void)state;
    if (geteuid() != 0) {
        print_message("             not tried: only root has rights to give up\n");
        skip();
    }
    (void)snprintf(o->name, sizeof o->name, "%s", name.text);
    (void)snprintf(o->second, sizeof o->second, "%s", new_name().text);
    must_equal(child_wait(child_start(leave_without_rights, o)), 0);
    path_of(name.text, path);
    must_equal(unlink(path), 0);
    path_of(o->second, path);
    must_equal(unlink(path), 0);
    shared_memory_free(o, sizeof *o);
}

HAZARD_MAIN("names", hazard_test(test_every_wait_of_a_host_says_that_its_name_was_removed),
            hazard_test(test_a_guest_that_waits_for_events_hears_of_the_lost_name),
            hazard_test(test_one_look_tells_all_waiters),
            hazard_test(test_a_host_without_its_name_begins_no_call),
            hazard_test(test_a_name_that_another_took_is_left_to_it),
            hazard_test(test_a_name_that_vanishes_during_creation_is_lost),
            hazard_test(test_a_name_that_others_always_take_first_is_refused),
            hazard_test(test_a_name_that_was_taken_for_a_moment_keeps_the_text),
            hazard_test(test_a_name_that_may_not_be_removed_is_told))
