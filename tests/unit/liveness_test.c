/*
 * Reclaiming what the dead have left. A guest dies here by closing its region without leaving: its
 * lock goes with its mapping, and its words and its line stay as they are.
 */
#include "support/fixture.h"

#include "peer/membership.h"
#include "region/liveness.h"
#include "region/slot.h"

enum { INDEX = 3, EPOCH = 7, HOST_SLOT = 0, GUEST_SLOT = 2 };

static const struct object_rules private_rules = {.mode = 0600, .owner = SHMIPC_OWNER_SELF};

struct scene {
    struct region_name name;
    shmipc_peer *host;
    struct region guest;
};

static void open_scene(struct scene *s) {
    const shmipc_host_config config = test_host_config();
    s->name = new_name();
    must_equal(shmipc_host_create(s->name.text, &config, &s->host), SHMIPC_OK);
    must_equal(shmi_region_open(&s->guest, s->name.text, &private_rules), SHMIPC_OK);
    must_equal(shmi_peer_lock(s->guest.object, INDEX), LOCK_TAKEN);
    store_relaxed32(&s->guest.shared->peers[INDEX].epoch, EPOCH);
    store_relaxed32(&s->guest.shared->peers[INDEX].status, PEER_ATTACHED);
}

static void guest_dies(struct scene *s) {
    shmi_region_close(&s->guest);
}

static void close_scene(struct scene *s) {
    if (s->guest.object != NULL)
        shmi_region_close(&s->guest);
    shmipc_free(s->host);
}

static const struct region *region_of(const struct scene *s) {
    return &s->host->region;
}

static word make(enum slot_state state, uint64_t flags, owner o) {
    return word_with_owner(word_with(UINT64_C(0x0001000000000200), state, flags), o);
}

static void put(const struct scene *s, uint32_t slot, word w) {
    exchange_seq_cst64(&region_slot(region_of(s), slot)->word, w);
}

static word get(const struct scene *s, uint32_t slot) {
    return slot_look(region_slot(region_of(s), slot));
}

static word reclaimed(bool host_slot, word w) {
    bool is_free = host_slot ? word_state(w) == SLOT_CANCELLED
                             : word_state(w) == SLOT_BUSY || word_state(w) == SLOT_REQUEST ||
                                   word_state(w) == SLOT_RESPONSE;
    if (is_free)
        return word_with_owner(word_with(w, SLOT_FREE, 0), 0);
    if (word_state(w) != SLOT_WORKING)
        return w;
    return host_slot ? word_with(w, SLOT_RESPONSE, WORD_RECLAIMED)
                     : word_with(w, SLOT_CANCELLED, 0);
}

static void a_dead_guests_words_are_reclaimed_by_state(void **state) {
    (void)state;
    for (int value = SLOT_BUSY; value <= SLOT_CANCELLED; value++) {
        for (int parked = 0; parked < 2; parked++) {
            word w =
                make((enum slot_state)value, parked ? WORD_PARKED : 0, owner_make(INDEX, EPOCH));
            struct scene s;
            open_scene(&s);
            put(&s, HOST_SLOT, w);
            put(&s, GUEST_SLOT, w);
            guest_dies(&s);
            assert_true(shmi_reap_guest(region_of(&s), INDEX));
            assert_true(get(&s, HOST_SLOT) == reclaimed(true, w));
            assert_true(get(&s, GUEST_SLOT) == reclaimed(false, w));
            close_scene(&s);
        }
    }
}

static void a_live_guests_words_are_left_alone(void **state) {
    (void)state;
    struct scene s;
    word w = make(SLOT_WORKING, 0, owner_make(INDEX, EPOCH));
    open_scene(&s);
    put(&s, HOST_SLOT, w);
    assert_false(shmi_owner_is_dead(region_of(&s), w));
    assert_false(shmi_reap_guest(region_of(&s), INDEX));
    assert_true(get(&s, HOST_SLOT) == w);
    close_scene(&s);
}

static void another_guests_words_are_left_alone(void **state) {
    (void)state;
    struct scene s;
    word w = make(SLOT_WORKING, 0, owner_make(INDEX + 1, EPOCH));
    word unowned = make(SLOT_REQUEST, 0, 0);
    open_scene(&s);
    put(&s, HOST_SLOT, w);
    put(&s, HOST_SLOT + 1, unowned);
    guest_dies(&s);
    assert_true(shmi_reap_guest(region_of(&s), INDEX));
    assert_true(get(&s, HOST_SLOT) == w);
    assert_true(get(&s, HOST_SLOT + 1) == unowned);
    close_scene(&s);
}

static void an_epoch_that_has_passed_is_dead_though_the_lock_is_held(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    assert_false(
        shmi_owner_is_dead(region_of(&s), make(SLOT_WORKING, 0, owner_make(INDEX, EPOCH))));
    assert_true(
        shmi_owner_is_dead(region_of(&s), make(SLOT_WORKING, 0, owner_make(INDEX, EPOCH - 1))));
    close_scene(&s);
}

static void an_owner_that_nobody_can_be_is_not_dead(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    assert_false(shmi_owner_is_dead(region_of(&s), make(SLOT_WORKING, 0, 0)));
    assert_false(shmi_owner_is_dead(region_of(&s), make(SLOT_WORKING, 0, owner_make(0, EPOCH))));
    close_scene(&s);
}

/* The word came back in the same state after the proof was obtained: it must not be reclaimed. */
static void a_word_that_changed_since_it_was_seen_stays(void **state) {
    (void)state;
    struct scene s;
    owner dead = owner_make(INDEX, EPOCH);
    word seen = make(SLOT_WORKING, 0, dead);
    word now = word_with_owner(word_next_sequence(seen) | SLOT_WORKING, dead);
    open_scene(&s);
    put(&s, HOST_SLOT, now);
    assert_false(shmi_reclaim_slot(region_of(&s), HOST_SLOT, seen));
    assert_true(get(&s, HOST_SLOT) == now);
    put(&s, GUEST_SLOT, now);
    assert_false(shmi_reclaim_slot(region_of(&s), GUEST_SLOT, seen));
    assert_true(get(&s, GUEST_SLOT) == now);
    close_scene(&s);
}

static void reaping_vacates_the_line_once(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    struct peer_record *record = &region_of(&s)->shared->peers[INDEX];
    guest_dies(&s);
    assert_true(shmi_reap_guest(region_of(&s), INDEX));
    assert_int_equal(load_relaxed32(&record->status), PEER_VACANT);
    assert_int_equal(load_relaxed32(&record->epoch), EPOCH);
    assert_int_equal(load_relaxed32(&record->left), 0);
    assert_false(shmi_reap_guest(region_of(&s), INDEX));
    close_scene(&s);
}

static void reaping_gives_the_lock_back(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    guest_dies(&s);
    assert_true(shmi_reap_guest(region_of(&s), INDEX));
    must_equal(shmi_region_open(&s.guest, s.name.text, &private_rules), SHMIPC_OK);
    assert_int_equal(shmi_peer_lock(s.guest.object, INDEX), LOCK_TAKEN);
    close_scene(&s);
}

static void reaping_clears_the_bits_of_the_dead_only(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    for (int i = 0; i < EVENTCOUNTS; i++)
        or_seq_cst32(&region_of(&s)->shared->eventcounts[i].eventcount.sleepers, 0xffff);
    guest_dies(&s);
    assert_true(shmi_reap_guest(region_of(&s), INDEX));
    for (int i = 0; i < EVENTCOUNTS; i++)
        assert_int_equal(load_relaxed32(&region_of(&s)->shared->eventcounts[i].eventcount.sleepers),
                         0xffff & ~(1 << INDEX));
    close_scene(&s);
}

static uint32_t notifications_at_reaping(bool others_sleep) {
    struct scene s;
    open_scene(&s);
    struct local_eventcount polled =
        region_eventcount(region_of(&s), EVENTCOUNT_HOST_REQUEST, INDEX);
    struct local_eventcount slept =
        region_eventcount(region_of(&s), EVENTCOUNT_HOST_REQUEST, INDEX + 1);
    shmi_eventcount_join_pollers(&polled);
    if (others_sleep)
        (void)shmi_eventcount_prepare(&slept);
    uint32_t before = shmi_eventcount_generation(&polled);
    guest_dies(&s);
    assert_true(shmi_reap_guest(region_of(&s), INDEX));
    uint32_t notifies = shmi_eventcount_generation(&polled) - before;
    close_scene(&s);
    return notifies;
}

/* As long as the dead guest polled, callers did not notify. */
static void reaping_notifies_the_sleepers_if_the_dead_guest_polled(void **state) {
    (void)state;
    assert_int_equal(notifications_at_reaping(true), 1);
    assert_int_equal(notifications_at_reaping(false), 0);
}

static void a_freed_slot_is_announced_to_its_waiters(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    struct eventcount_line *eventcounts = region_of(&s)->shared->eventcounts;
    uint32_t host_free = load_relaxed32(&eventcounts[EVENTCOUNT_HOST_FREE].eventcount.generation);
    uint32_t guest_free = load_relaxed32(&eventcounts[EVENTCOUNT_GUEST_FREE].eventcount.generation);
    owner dead = owner_make(INDEX, EPOCH);
    or_seq_cst32(&eventcounts[EVENTCOUNT_HOST_FREE].eventcount.sleepers, 1);
    or_seq_cst32(&eventcounts[EVENTCOUNT_GUEST_FREE].eventcount.sleepers, 2);
    put(&s, HOST_SLOT, make(SLOT_CANCELLED, 0, dead));
    put(&s, GUEST_SLOT, make(SLOT_BUSY, 0, dead));
    guest_dies(&s);
    assert_true(shmi_reap_guest(region_of(&s), INDEX));
    assert_int_equal(load_relaxed32(&eventcounts[EVENTCOUNT_HOST_FREE].eventcount.generation),
                     host_free + 1);
    assert_int_equal(load_relaxed32(&eventcounts[EVENTCOUNT_GUEST_FREE].eventcount.generation),
                     guest_free + 1);
    close_scene(&s);
}

struct sleeper {
    struct object *object;
    struct slot *slot;
    uint64_t until;
};

static void *sleep_on_word(void *context) {
    const struct sleeper *sleeper = context;
    word seen = slot_look(sleeper->slot);
    while (word_state(seen) == SLOT_WORKING) {
        (void)shmi_word_wait(sleeper->object, shmi_slot_futex(sleeper->slot), word_low(seen),
                             sleeper->until, NO_HOME);
        must(shmi_clock_now() < sleeper->until);
        seen = slot_look(sleeper->slot);
    }
    return NULL;
}

static void reaping_wakes_a_caller_that_is_parked(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    put(&s, HOST_SLOT, make(SLOT_WORKING, WORD_PARKED, owner_make(INDEX, EPOCH)));
    struct sleeper sleeper = {.object = region_of(&s)->object,
                              .slot = region_slot(region_of(&s), HOST_SLOT),
                              .until = shmi_clock_now() + 10 * (uint64_t)SECOND};
    pthread_t thread = thread_start(sleep_on_word, &sleeper);
    for (int i = 0; i < 40; i++)
        pause_briefly();
    guest_dies(&s);
    assert_true(shmi_reap_guest(region_of(&s), INDEX));
    thread_join(thread);
    close_scene(&s);
}

/* ---- Attaching after the dead ---- */

static uint32_t attached_epoch(const struct scene *s, uint32_t index) {
    return load_relaxed32(&region_of(s)->shared->peers[index].epoch);
}

static shmipc_peer *attach(const struct scene *s) {
    const shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(s->name.text, &config, 0, &guest), SHMIPC_OK);
    return guest;
}

static void the_next_owner_reclaims_every_earlier_epoch(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    word older = make(SLOT_CANCELLED, 0, owner_make(1, 4));
    word working = make(SLOT_WORKING, 0, owner_make(1, 9));
    store_relaxed32(&region_of(&s)->shared->peers[1].epoch, 9);
    put(&s, HOST_SLOT, older);
    put(&s, HOST_SLOT + 1, working);
    or_seq_cst32(&region_of(&s)->shared->eventcounts[0].eventcount.sleepers, 1 << 1);
    shmipc_peer *guest = attach(&s);
    assert_int_equal(guest->index, 1);
    assert_true(guest->self == owner_make(1, 10));
    assert_true(get(&s, HOST_SLOT) == reclaimed(true, older));
    assert_true(get(&s, HOST_SLOT + 1) == reclaimed(true, working));
    assert_int_equal(load_relaxed32(&region_of(&s)->shared->eventcounts[0].eventcount.sleepers), 0);
    shmipc_free(guest);
    close_scene(&s);
}

static void epochs_rise_and_wrap_to_one(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    for (uint32_t epoch = 1; epoch <= 3; epoch++) {
        shmipc_peer *guest = attach(&s);
        assert_int_equal(attached_epoch(&s, 1), epoch);
        shmipc_free(guest);
    }
    const uint32_t last[] = {EPOCH_MAX, UINT32_MAX};
    const uint32_t next[] = {EPOCH_MAX + 1, 1};
    for (int i = 0; i < 2; i++) {
        store_relaxed32(&region_of(&s)->shared->peers[1].epoch, last[i]);
        shmipc_peer *guest = attach(&s);
        assert_int_equal(attached_epoch(&s, 1), next[i]);
        assert_true(guest->self == owner_make(1, 1));
        shmipc_free(guest);
    }
    close_scene(&s);
}

/* A reclaimer has proof that the owner of a word is dead, and is then paused until the owner's
   epoch wraps around. */
static void a_claim_made_an_epochs_round_later_is_not_taken_for_the_deads(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    shmipc_peer *guest = attach(&s);
    const uint32_t first = attached_epoch(&s, 1);
    shmipc_slot claimed;
    must_equal(shmipc_slot_claim(guest, 0, &claimed), SHMIPC_OK);
    must_equal(claimed.index, GUEST_SLOT);
    word seen = get(&s, GUEST_SLOT);
    must_equal(shmipc_slot_release(claimed), SHMIPC_OK);
    shmipc_free(guest);
    assert_true(shmi_owner_is_dead(region_of(&s), seen));

    store_relaxed32(&region_of(&s)->shared->peers[1].epoch, first + EPOCH_MAX - 1);
    guest = attach(&s);
    must_equal(shmipc_slot_claim(guest, 0, &claimed), SHMIPC_OK);
    must_equal(claimed.index, GUEST_SLOT);
    word live = get(&s, GUEST_SLOT);
    assert_true(word_owner(live) == word_owner(seen));
    assert_false(shmi_reclaim_slot(region_of(&s), GUEST_SLOT, seen));
    assert_true(get(&s, GUEST_SLOT) == live);
    must_equal(shmipc_slot_release(claimed), SHMIPC_OK);
    shmipc_free(guest);
    close_scene(&s);
}

/* ---- Whether a peer is alive ---- */

static void guests_serve_while_they_hold_a_lock(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    assert_true(shmi_any_guest_serves(region_of(&s)));
    guest_dies(&s);
    assert_false(shmi_any_guest_serves(region_of(&s)));
    close_scene(&s);
}

static void guests_that_only_call_or_leave_do_not_serve(void **state) {
    (void)state;
    const uint32_t status[] = {PEER_VACANT, PEER_LEAVING, PEER_CALLS_ONLY};
    struct scene s;
    open_scene(&s);
    for (int i = 0; i < 3; i++) {
        store_relaxed32(&s.guest.shared->peers[INDEX].status, status[i]);
        assert_false(shmi_any_guest_serves(region_of(&s)));
    }
    close_scene(&s);
}

static void a_host_is_alive_while_it_has_lock_and_name(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s);
    assert_true(shmi_host_is_alive(&s.guest));
    (void)shmi_object_unpublish(s.host->region.object);
    assert_false(shmi_host_is_alive(&s.guest));
    shmipc_free(s.host);
    s.host = NULL;
    assert_false(shmi_host_is_alive(&s.guest));
    close_scene(&s);
}

/* A call whose responder dies under it ends by what the reclaimer stores. */
static void a_caller_is_told_that_its_responder_died(void **state) {
    (void)state;
    struct scene s;
    struct call_thread call;
    open_scene(&s);
    call_start(&call, s.host, SHMIPC_FOREVER);
    struct slot *slot = region_slot(region_of(&s), HOST_SLOT);
    eventually(word_state(get(&s, HOST_SLOT)) == SLOT_REQUEST && get(&s, HOST_SLOT) & WORD_PARKED);
    word taken;
    assert_true(shmi_slot_take(slot, get(&s, HOST_SLOT), owner_make(INDEX, EPOCH), &taken));
    guest_dies(&s);
    uint64_t begin = now_ns();
    assert_int_equal(call_join(&call), SHMIPC_E_PEER_DIED);
    assert_true(now_ns() - begin < 2 * SECOND);
    close_scene(&s);
}

static void a_quarantined_slot_comes_back_when_its_responder_is_dead(void **state) {
    (void)state;
    struct scene s;
    struct call_thread call;
    shmipc_slot slots[2];
    open_scene(&s);
    call_start(&call, s.host, SECOND);
    struct slot *slot = region_slot(region_of(&s), HOST_SLOT);
    eventually(word_state(get(&s, HOST_SLOT)) == SLOT_REQUEST && get(&s, HOST_SLOT) & WORD_PARKED);
    word taken;
    assert_true(shmi_slot_take(slot, get(&s, HOST_SLOT), owner_make(INDEX, EPOCH), &taken));
    assert_int_equal(call_join(&call), SHMIPC_E_TIMEOUT_STARTED);
    assert_int_equal(word_state(get(&s, HOST_SLOT)), SLOT_CANCELLED);
    assert_int_equal(shmipc_slot_claim(s.host, 0, &slots[0]), SHMIPC_OK);
    assert_int_equal(shmipc_slot_claim(s.host, 0, &slots[1]), SHMIPC_E_TIMEOUT);
    guest_dies(&s);
    assert_int_equal(shmipc_slot_claim(s.host, SHMIPC_FOREVER, &slots[1]), SHMIPC_OK);
    assert_int_equal(shmipc_slot_release(slots[0]), SHMIPC_OK);
    assert_int_equal(shmipc_slot_release(slots[1]), SHMIPC_OK);
    close_scene(&s);
}

/* The host does not look for deaths: the guest that needs the slot does. */
static void a_guest_gets_the_slots_that_a_dead_guest_held(void **state) {
    (void)state;
    struct scene s;
    shmipc_slot slot;
    open_scene(&s);
    put(&s, GUEST_SLOT, make(SLOT_BUSY, 0, owner_make(INDEX, EPOCH)));
    put(&s, GUEST_SLOT + 1, make(SLOT_RESPONSE, 0, owner_make(INDEX, EPOCH)));
    shmipc_peer *guest = attach(&s);
    assert_int_equal(shmipc_slot_claim(guest, MILLISECOND, &slot), SHMIPC_E_TIMEOUT);
    guest_dies(&s);
    assert_int_equal(shmipc_slot_claim(guest, 30 * SECOND, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    shmipc_free(guest);
    close_scene(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_dead_guests_words_are_reclaimed_by_state),
        watched_test(a_live_guests_words_are_left_alone),
        watched_test(another_guests_words_are_left_alone),
        watched_test(an_epoch_that_has_passed_is_dead_though_the_lock_is_held),
        watched_test(an_owner_that_nobody_can_be_is_not_dead),
        watched_test(a_word_that_changed_since_it_was_seen_stays),
        watched_test(reaping_vacates_the_line_once),
        watched_test(reaping_gives_the_lock_back),
        watched_test(reaping_clears_the_bits_of_the_dead_only),
        watched_test(reaping_notifies_the_sleepers_if_the_dead_guest_polled),
        watched_test(a_freed_slot_is_announced_to_its_waiters),
        watched_test(reaping_wakes_a_caller_that_is_parked),
        watched_test(the_next_owner_reclaims_every_earlier_epoch),
        watched_test(epochs_rise_and_wrap_to_one),
        watched_test(a_claim_made_an_epochs_round_later_is_not_taken_for_the_deads),
        watched_test(guests_serve_while_they_hold_a_lock),
        watched_test(guests_that_only_call_or_leave_do_not_serve),
        watched_test(a_host_is_alive_while_it_has_lock_and_name),
        watched_test(a_caller_is_told_that_its_responder_died),
        watched_test(a_quarantined_slot_comes_back_when_its_responder_is_dead),
        watched_test(a_guest_gets_the_slots_that_a_dead_guest_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
