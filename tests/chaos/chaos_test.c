/*
 * Chaos: peers are killed, stopped, continued and made to leave at random while all of them call
 * and serve, and what each caller was told is compared with what the handlers did.
 *
 *     interop_chaos_test [SECONDS [SEED [TESTS]]]
 *
 * SECONDS are shared by the scenes: 16 by default. The seed is drawn unless it is given, and always
 * printed. TESTS is a pattern, such as "*hosts*".
 *
 * Each scene has a host and its guests as processes of their own (peer.c, go_guest) and a director,
 * this process, which is none of them (stage.c). What is done to them follows from the seed
 * (plan.c); what that meets does not. Callers, more of them than slots, call in every way and give
 * up in every way, with time-outs of 0 to a minute (caller.c); handlers return at once, compute,
 * sleep, fail, or call the host (handler.c). Both sides enter what they do in a ledger outside of
 * the region, which survives them (ledger.c), by the number that each call has and sends along
 * (question.c). The judge reads it after each act, and once more when all processes are gone
 * (judge.c):
 *
 *     answered (OK, HANDLER)                the handler ran once, had finished, and this is its
 *                                           answer, or its message
 *     never started (TIMEOUT, NO_PEER, ...) no handler ran, nor does one later
 *     started (..._STARTED, PEER_DIED)      once at most, since its process may be killed first
 *     abandoned, or the caller was killed   once at most
 *
 * Besides: no call hangs; after each act everybody's calls are answered again; at each muster, and
 * in the end, every slot can be claimed and a call through each succeeds (prove_all_slots); a
 * process that lives long holds no more descriptors, threads and mappings than in the beginning
 * (holding.c); the only region that stays is that of a killed host, and it can be removed.
 */
#define _GNU_SOURCE
#include "chaos/plan.h"
#include "chaos/stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCENES = 4, SECONDS_OF_GRACE = 110 };

static unsigned seconds = 16;
static uint64_t seed;

static unsigned seconds_of_a_scene(void) {
    return seconds < SCENES ? 1 : seconds / SCENES;
}

/* The director's own watch reports more, and comes first. */
static int chaos_setup(void **state) {
    (void)state;
    watchdog_start("a scene", seconds_of_a_scene() + SECONDS_OF_GRACE);
    return 0;
}

#define chaos_test(test) cmocka_unit_test_setup_teardown(test, chaos_setup, watched_teardown)

static void play(const struct scene *scene) {
    scene_play(scene, seconds_of_a_scene(), seed);
}

static void test_guests_in_c_come_and_go(void **state) {
    (void)state;
    play(&(struct scene){.title = "guests in C", .guests = 3, .languages = {IN_C, IN_C, IN_C}});
}

static void test_guests_in_go_come_and_go(void **state) {
    (void)state;
    play(&(struct scene){.title = "guests in Go", .guests = 3, .languages = {IN_GO, IN_GO, IN_GO}});
}

static void test_guests_of_both_languages_come_and_go(void **state) {
    (void)state;
    play(&(struct scene){
        .title = "guests in C and Go", .guests = 4, .languages = {IN_C, IN_GO, IN_C, IN_GO}});
}

static void test_hosts_come_and_go(void **state) {
    (void)state;
    play(&(struct scene){.title = "hosts and guests",
                         .guests = 4,
                         .languages = {IN_GO, IN_C, IN_GO, IN_C},
                         .hosts = true});
}

static void test_a_seed_has_one_plan(void **state) {
    struct plan plans[3] = {plan_of(seed, 3, false), plan_of(seed, 3, false),
                            plan_of(seed + 1, 3, false)};
    unsigned different = 0;
    (void)state;
    for (int i = 0; i < 100; i++) {
        char texts[3][160];
        for (int plan = 0; plan < 3; plan++) {
            struct act act = plan_next(&plans[plan]);
            act_describe(&act, texts[plan], sizeof texts[plan]);
        }
        assert_string_equal(texts[0], texts[1]);
        different += strcmp(texts[0], texts[2]) != 0;
    }
    assert_true(different > 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_seed_has_one_plan), chaos_test(test_guests_in_c_come_and_go),
        chaos_test(test_guests_in_go_come_and_go),
        chaos_test(test_guests_of_both_languages_come_and_go), chaos_test(test_hosts_come_and_go)};
    if (argc > 1)
        seconds = (unsigned)strtoul(argv[1], NULL, 10);
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : now_ns();
    print_message("chaos: %u s, seed %" PRIu64 "\n", seconds, seed);
    if (argc > 3)
        cmocka_set_test_filter(argv[3]);
    return cmocka_run_group_tests_name("chaos", tests, NULL, NULL);
}
