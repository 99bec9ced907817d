/*
 * Calls whose sides sleep: back to back without spinning, and with long rests between them. The
 * limit is a pair of processes that wake each other by futex, at the same pace; a Unix socket runs
 * beside them.
 */
#include "rows.h"

#include "alternatives/unix_socket.h"
#include "calls/copying.h"
#include "calls/paced.h"
#include "limits/futex.h"
#include "support/clock.h"

enum { SUBJECTS = 4 };

static void start_all(struct subject *subjects, const struct pair *c, const struct pair *go) {
    subjects[0] = futex_start();
    subjects[1] = unix_socket_start(SMALL);
    subjects[2] = copying_start(c, "parked", SMALL);
    subjects[3] = copying_start(go, "parked", SMALL);
}

static void measure_without_spinning(const struct effort *effort) {
    struct subject subjects[SUBJECTS];
    const struct plan plan = {.rounds = effort->quick ? 11 : 101,
                              .loop_ns = 10 * MILLISECOND,
                              .times_ns = 5 * MILLISECOND};
    struct pair c = pair_start((struct pair_config){.guest = "c", .spin_ns = -1});
    struct pair go = pair_start((struct pair_config){.guest = "go", .spin_ns = -1});
    start_all(subjects, &c, &go);
    for (int i = 0; i < SUBJECTS; i++)
        subjects[i].label.variant = "no spinning";
    emit_all(subjects, SUBJECTS, &plan);
    pair_stop(&c);
    pair_stop(&go);
}

static void measure_pace(const struct pair *c, const struct pair *go, const char *variant,
                         uint64_t rest_ns, const struct plan *plan) {
    struct subject subjects[SUBJECTS];
    start_all(subjects, c, go);
    for (int i = 0; i < SUBJECTS; i++) {
        subjects[i] = paced_start(subjects[i], rest_ns);
        subjects[i].label.variant = variant;
    }
    emit_all(subjects, SUBJECTS, plan);
}

/* At one call a second the subjects take turns call by call, a fourth of a second apart. */
void measure_parked(const struct effort *effort) {
    const struct plan seldom = {
        .rounds = effort->quick ? 4 : 25, .times_ns = 1, .share = 0.5, .limit_once = true};
    const struct plan often = {
        .rounds = effort->quick ? 9 : 51, .times_ns = 30 * MILLISECOND, .share = 0.5};
    measure_without_spinning(effort);
    struct pair c = pair_start((struct pair_config){.guest = "c"});
    struct pair go = pair_start((struct pair_config){.guest = "go"});
    measure_pace(&c, &go, "1 call a second", SECOND / SUBJECTS, &seldom);
    measure_pace(&c, &go, "1000 calls a second", SECOND / 1000, &often);
    measure_pace(&c, &go, "100000 calls a second", SECOND / 100000, &often);
    pair_stop(&c);
    pair_stop(&go);
}
