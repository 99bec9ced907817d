#define _GNU_SOURCE
#include "support/fixture.h"

#include "peer/peer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static shmipc_peer *create(const char *name) {
    const shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    must_equal(shmipc_host_create(name, &config, &host), SHMIPC_OK);
    return host;
}

static shmipc_peer *attach(const char *name) {
    const shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(name, &config, 0, &guest), SHMIPC_OK);
    return guest;
}

static void assert_event(shmipc_peer *peer, shmipc_event_kind kind, uint32_t who) {
    shmipc_event event = {0};
    assert_int_equal(shmipc_next_event(peer, 20 * SECOND, &event), SHMIPC_OK);
    assert_int_equal(event.kind, kind);
    assert_int_equal(event.peer, who);
    assert_int_equal(event.pid, getpid());
}

static void assert_no_event(shmipc_peer *peer) {
    shmipc_event event;
    assert_int_equal(shmipc_next_event(peer, 0, &event), SHMIPC_E_TIMEOUT);
}

static uint32_t guests_of(shmipc_peer *peer) {
    shmipc_info info;
    must_equal(shmipc_get_info(peer, &info), SHMIPC_OK);
    return info.guests;
}

static void guests_get_the_first_free_index(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *host = create(name.text);
    shmipc_peer *guests[3];
    for (uint32_t i = 0; i < 3; i++) {
        guests[i] = attach(name.text);
        assert_int_equal(guests[i]->index, i + 1);
    }
    shmipc_free(guests[1]);
    guests[1] = attach(name.text);
    assert_int_equal(guests[1]->index, 2);
    for (int i = 0; i < 3; i++)
        shmipc_free(guests[i]);
    shmipc_free(host);
}

static void the_sixteenth_guest_is_refused(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *host = create(name.text);
    shmipc_peer *guests[SHMIPC_GUESTS_MAX];
    shmipc_peer *one_more;
    for (int i = 0; i < SHMIPC_GUESTS_MAX; i++)
        guests[i] = attach(name.text);
    assert_int_equal(shmipc_guest_attach(name.text, NULL, 0, &one_more), SHMIPC_E_FULL);
    assert_null(one_more);
    assert_int_equal(guests_of(host), SHMIPC_GUESTS_MAX);
    shmipc_free(guests[7]);
    guests[7] = attach(name.text);
    for (int i = 0; i < SHMIPC_GUESTS_MAX; i++)
        shmipc_free(guests[i]);
    assert_int_equal(guests_of(host), 0);
    shmipc_free(host);
}

static void info_says_what_was_configured(void **state) {
    (void)state;
    struct pair p;
    shmipc_info info;
    pair_open(&p, NULL);
    for (uint32_t index = 0; index < 2; index++) {
        assert_int_equal(shmipc_get_info(index == 0 ? p.host : p.guest, &info), SHMIPC_OK);
        assert_int_equal(info.host_slots, 2);
        assert_int_equal(info.guest_slots, 2);
        assert_int_equal(info.request_capacity, 1024);
        assert_int_equal(info.response_capacity, 512);
        assert_int_equal(info.index, index);
        assert_int_equal(info.guests, 1);
        assert_int_equal(info.region_size, 8192);
    }
    assert_int_equal(shmipc_get_info(p.host, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_get_info(NULL, &info), SHMIPC_E_INVALID);
    pair_close(&p);
}

/* ---- Events ---- */

static void a_host_hears_of_its_guests_once_each(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *host = create(name.text);
    assert_no_event(host);
    shmipc_peer *a = attach(name.text);
    assert_event(host, SHMIPC_EVENT_ATTACHED, 1);
    assert_no_event(host);
    shmipc_peer *b = attach(name.text);
    assert_event(host, SHMIPC_EVENT_ATTACHED, 2);
    shmipc_free(a);
    assert_event(host, SHMIPC_EVENT_LEFT, 1);
    assert_no_event(host);
    shmipc_free(b);
    assert_event(host, SHMIPC_EVENT_LEFT, 2);
    assert_no_event(host);
    shmipc_free(host);
}

static void a_visit_that_nobody_saw_is_told_afterwards(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *host = create(name.text);
    assert_no_event(host);
    for (int visit = 0; visit < 3; visit++) {
        shmipc_free(attach(name.text));
        assert_event(host, SHMIPC_EVENT_ATTACHED, 1);
        assert_event(host, SHMIPC_EVENT_LEFT, 1);
        assert_no_event(host);
    }
    shmipc_free(host);
}

static void a_new_guest_does_not_hide_one_that_left(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *host = create(name.text);
    shmipc_peer *guest = attach(name.text);
    assert_event(host, SHMIPC_EVENT_ATTACHED, 1);
    shmipc_free(guest);
    guest = attach(name.text);
    assert_event(host, SHMIPC_EVENT_LEFT, 1);
    assert_event(host, SHMIPC_EVENT_ATTACHED, 1);
    assert_no_event(host);
    shmipc_free(guest);
    shmipc_free(host);
}

static void a_guest_hears_of_its_host(void **state) {
    (void)state;
    struct pair p;
    shmipc_event event;
    pair_open(&p, NULL);
    assert_no_event(p.guest);
    shmipc_free(p.host);
    assert_event(p.guest, SHMIPC_EVENT_LEFT, 0);
    assert_int_equal(shmipc_next_event(p.guest, SHMIPC_FOREVER, &event), SHMIPC_E_NO_PEER);
    shmipc_free(p.guest);
}

static void a_corrupt_region_ends_waits_for_peers(void **state) {
    (void)state;
    struct pair p;
    shmipc_event event;
    pair_open(&p, NULL);
    assert_event(p.host, SHMIPC_EVENT_ATTACHED, 1);
    (void)shmi_peer_mark_corrupt(p.host, "a trial");
    (void)shmi_peer_mark_corrupt(p.guest, "a trial");
    assert_int_equal(shmipc_next_event(p.host, SHMIPC_FOREVER, &event), SHMIPC_E_CORRUPT);
    assert_int_equal(shmipc_wait_guests(p.host, 2, SHMIPC_FOREVER), SHMIPC_E_CORRUPT);
    assert_int_equal(shmipc_next_event(p.guest, SHMIPC_FOREVER, &event), SHMIPC_E_CORRUPT);
    pair_close(&p);
}

/* Dying is closing without leaving: the lock goes, the line stays. */
static void die(shmipc_peer *peer) {
    shmi_region_close(&peer->region);
    store_relaxed32(&peer->life.phase, PEER_CLOSED);
    store_relaxed32(&peer->life.gone, DEPARTED);
    shmipc_free(peer);
}

static void a_death_is_told_from_a_departure(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_event event;
    shmipc_peer *host = create(name.text);
    shmipc_peer *guest = attach(name.text);
    assert_event(host, SHMIPC_EVENT_ATTACHED, 1);
    die(guest);
    assert_event(host, SHMIPC_EVENT_DIED, 1);
    assert_no_event(host);
    guest = attach(name.text);
    assert_event(host, SHMIPC_EVENT_ATTACHED, 1);
    (void)shmi_object_unpublish(host->region.object);
    die(host);
    assert_event(guest, SHMIPC_EVENT_DIED, 0);
    assert_int_equal(shmipc_next_event(guest, SHMIPC_FOREVER, &event), SHMIPC_E_NO_PEER);
    shmipc_free(guest);
}

/* ---- A guest that takes another's place while the host looks; named for the linker ---- */

static struct {
    shmipc_peer *host; /* NULL: nobody comes */
    bool there;        /* whether the other guest is there at the end of the look at its lock */
} swap;

bool real_is_locked(struct object *object, uint32_t index) __asm__("__real_shmi_peer_is_locked");
bool test_is_locked(struct object *object, uint32_t index) __asm__("__wrap_shmi_peer_is_locked");

/* Guest 1 leaves, and the next one stores its epoch, perhaps what it serves too. */
bool test_is_locked(struct object *object, uint32_t index) {
    if (index != 1 || swap.host == NULL)
        return real_is_locked(object, index);
    struct region_layout *shared = swap.host->region.shared;
    store_release32(&shared->peers[1].status, PEER_VACANT);
    store_release32(&shared->peers[1].epoch, load_relaxed32(&shared->peers[1].epoch) + 1);
    if (swap.there) {
        store_release64(&shared->services[1], 2);
        store_release32(&shared->peers[1].status, PEER_ATTACHED);
    }
    swap.host = NULL;
    return true;
}

static void no_guest_is_told_with_the_service_of_another(void **state) {
    (void)state;
    for (int there = 0; there < 2; there++) {
        struct region_name name = new_name();
        shmipc_guest_config config = test_guest_config();
        shmipc_event event = {0};
        shmipc_peer *host = create(name.text);
        shmipc_peer *guest;
        config.service = 1;
        must_equal(shmipc_guest_attach(name.text, &config, 0, &guest), SHMIPC_OK);
        swap.host = host;
        swap.there = there;
        assert_no_event(host);
        assert_null(swap.host);
        store_release64(&host->region.shared->services[1], 2);
        store_release32(&host->region.shared->peers[1].status, PEER_ATTACHED);
        assert_int_equal(shmipc_next_event(host, 0, &event), SHMIPC_OK);
        assert_int_equal(event.kind, SHMIPC_EVENT_ATTACHED);
        assert_int_equal(event.service, 2);
        assert_int_equal(event.address >> 32, host->region.shared->peers[1].epoch);
        shmipc_free(guest);
        shmipc_free(host);
    }
}

static void *attach_soon(void *context) {
    shmipc_peer **guest = context;
    *guest = attach((const char *)(guest + 1));
    return NULL;
}

static void waiting_for_events_ends_with_one(void **state) {
    (void)state;
    struct {
        shmipc_peer *guest;
        struct region_name name;
    } late = {.name = new_name()};
    shmipc_event event;
    shmipc_peer *host = create(late.name.text);
    pthread_t thread = thread_start(attach_soon, &late);
    assert_int_equal(shmipc_next_event(host, SHMIPC_FOREVER, &event), SHMIPC_OK);
    assert_int_equal(event.kind, SHMIPC_EVENT_ATTACHED);
    thread_join(thread);
    shmipc_free(late.guest);
    shmipc_free(host);
}

static void waiting_for_guests_ends_when_they_are_there(void **state) {
    (void)state;
    struct {
        shmipc_peer *guest;
        struct region_name name;
    } late = {.name = new_name()};
    shmipc_peer *host = create(late.name.text);
    assert_int_equal(shmipc_wait_guests(host, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_wait_guests(host, 1, MILLISECOND), SHMIPC_E_TIMEOUT);
    pthread_t thread = thread_start(attach_soon, &late);
    assert_int_equal(shmipc_wait_guests(host, 1, SHMIPC_FOREVER), SHMIPC_OK);
    thread_join(thread);
    assert_int_equal(shmipc_wait_guests(host, 16, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_wait_guests(late.guest, 1, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_wait_guests(NULL, 1, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_wait_guests(host, 1, -2), SHMIPC_E_INVALID);
    shmipc_free(late.guest);
    shmipc_free(host);
}

/* ---- Counters ---- */

static void counters_count_by_slot_and_altogether(void **state) {
    (void)state;
    const shmipc_request request = {.data = NULL};
    struct pair p;
    struct server server;
    shmipc_stats stats;
    pair_open(&p, NULL);
    server_start(&server, p.guest, echo_handler, NULL);
    for (int i = 0; i < 10; i++)
        assert_int_equal(shmipc_call(p.host, &request, NULL, SHMIPC_FOREVER), SHMIPC_OK);
    (void)server_stop(&server);
    assert_int_equal(shmipc_call(p.host, &request, NULL, 0), SHMIPC_E_TIMEOUT);
    assert_int_equal(shmipc_get_stats(p.host, &stats), SHMIPC_OK);
    assert_int_equal(stats.calls, 11);
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.served, 0);
    assert_int_equal(shmipc_get_stats(p.guest, &stats), SHMIPC_OK);
    assert_int_equal(stats.calls, 0);
    assert_int_equal(stats.served, 10);
    uint64_t calls = 0;
    for (uint32_t slot = 0; slot < 4; slot++) {
        assert_int_equal(shmipc_get_slot_stats(p.host, slot, &stats), SHMIPC_OK);
        calls += stats.calls;
        assert_true(slot < 2 || stats.calls == 0);
    }
    assert_int_equal(calls, 11);
    assert_int_equal(shmipc_get_slot_stats(p.host, 4, &stats), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_get_slot_stats(p.host, 0, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_get_stats(p.host, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_get_stats(NULL, &stats), SHMIPC_E_INVALID);
    pair_close(&p);
}

static void counters_are_left_in_the_line_for_display(void **state) {
    (void)state;
    const shmipc_request request = {.data = NULL};
    struct pair p;
    struct server server;
    pair_open(&p, NULL);
    server_start(&server, p.host, echo_handler, NULL);
    for (int i = 0; i < 10; i++)
        assert_int_equal(shmipc_call(p.guest, &request, NULL, SHMIPC_FOREVER), SHMIPC_OK);
    (void)server_stop(&server);
    shmipc_free(p.guest);
    const struct peer_record *record = &p.host->region.shared->peers[1];
    assert_int_equal(load_relaxed64(&record->calls), 10);
    assert_int_equal(load_relaxed64(&record->failed), 0);
    assert_int_equal(load_relaxed32(&record->left), 1);
    assert_int_equal(load_relaxed32(&record->status), PEER_VACANT);
    shmipc_free(p.host);
}

/* ---- The log ---- */

struct log_lines {
    atomic_int count;
    char last[256];
    shmipc_log_level level;
};

static void keep_line(void *context, shmipc_log_level level, const char *text) {
    struct log_lines *lines = context;
    (void)snprintf(lines->last, sizeof lines->last, "%s", text);
    lines->level = level;
    atomic_fetch_add(&lines->count, 1);
}

static void a_death_is_logged_and_a_call_is_not(void **state) {
    (void)state;
    const shmipc_request request = {.data = NULL};
    shmipc_host_config config = test_host_config();
    struct log_lines lines = {0};
    struct pair p;
    struct server server;
    config.log = keep_line;
    config.log_context = &lines;
    pair_open(&p, &config);
    int before = atomic_load(&lines.count);
    server_start(&server, p.guest, echo_handler, NULL);
    for (int i = 0; i < 10; i++)
        assert_int_equal(shmipc_call(p.host, &request, NULL, SHMIPC_FOREVER), SHMIPC_OK);
    (void)server_stop(&server);
    assert_int_equal(atomic_load(&lines.count), before);
    assert_event(p.host, SHMIPC_EVENT_ATTACHED, 1);
    die(p.guest);
    assert_event(p.host, SHMIPC_EVENT_DIED, 1);
    assert_int_equal(atomic_load(&lines.count), before + 1);
    assert_int_equal(lines.level, SHMIPC_LOG_WARN);
    assert_non_null(strstr(lines.last, "guest 1"));
    shmipc_free(p.host);
}

static void a_guest_that_only_calls_is_no_remote(void **state) {
    (void)state;
    const shmipc_request request = {.length = 0};
    const shmipc_host_config config = test_host_config();
    shmipc_guest_config calls_only = test_guest_config();
    calls_only.flags = SHMIPC_CALLS_ONLY;
    struct region_name name = new_name();
    shmipc_peer *host;
    shmipc_peer *guest;
    shmipc_info info;
    must_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    must_equal(shmipc_guest_attach(name.text, &calls_only, 0, &guest), SHMIPC_OK);
    assert_int_equal(shmipc_call(host, &request, NULL, SHMIPC_FOREVER), SHMIPC_E_NO_PEER);
    assert_int_equal(shmipc_wait_guests(host, 1, 0), SHMIPC_E_TIMEOUT);
    assert_int_equal(shmipc_get_info(host, &info), SHMIPC_OK);
    assert_int_equal(info.guests, 1);
    assert_int_equal(info.serving, 0);
    assert_int_equal(shmipc_serve(guest, echo_handler, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_poll(guest, echo_handler, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_wait(guest, 0), SHMIPC_E_INVALID);
    shmipc_free(guest);
    shmipc_free(host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(guests_get_the_first_free_index),
        watched_test(the_sixteenth_guest_is_refused),
        watched_test(info_says_what_was_configured),
        watched_test(a_host_hears_of_its_guests_once_each),
        watched_test(a_visit_that_nobody_saw_is_told_afterwards),
        watched_test(a_new_guest_does_not_hide_one_that_left),
        watched_test(a_guest_hears_of_its_host),
        watched_test(a_corrupt_region_ends_waits_for_peers),
        watched_test(a_death_is_told_from_a_departure),
        watched_test(no_guest_is_told_with_the_service_of_another),
        watched_test(waiting_for_events_ends_with_one),
        watched_test(waiting_for_guests_ends_when_they_are_there),
        watched_test(counters_count_by_slot_and_altogether),
        watched_test(counters_are_left_in_the_line_for_display),
        watched_test(a_death_is_logged_and_a_call_is_not),
        watched_test(a_guest_that_only_calls_is_no_remote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
