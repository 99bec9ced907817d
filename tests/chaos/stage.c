#define _GNU_SOURCE
#include "chaos/stage.h"

#include "chaos/judge.h"
#include "chaos/peer.h"
#include "chaos/plan.h"
#include "chaos/report.h"
#include "support/processes.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { HOST = 0, RECENT = 24, LATEST = 20000, TEXT_MAX = 160 };

/* Far above every time-out but those of patient calls, which no call needs; and above the time in
   which the director expects its orders to be obeyed. */
#define HANGS_AFTER (25 * (uint64_t)SECOND)
#define PATIENCE (40 * (uint64_t)SECOND)

struct stage {
    const struct scene *scene;
    struct ledger *ledger;
    struct plan plan;
    struct role roles[POSTS];
    pid_t pids[POSTS]; /* 0: it does not run */
    uint64_t seed;
    uint64_t acts, kills, musters;
    struct act recent[RECENT];
    uint64_t recent_at[RECENT];
};

static unsigned posts_of(const struct stage *stage) {
    return stage->scene->guests + 1;
}

static void nap(uint32_t microseconds) {
    const struct timespec time = {.tv_sec = microseconds / 1000000,
                                  .tv_nsec = (long)(microseconds % 1000000) * 1000};
    (void)nanosleep(&time, NULL);
}

/* ---- Failures ---- */

static void kill_silently(struct stage *stage) {
    for (unsigned i = 0; i < posts_of(stage); i++) {
        if (stage->pids[i] != 0)
            child_kill(stage->pids[i]);
        stage->pids[i] = 0;
    }
}

static void report_acts(const struct stage *stage) {
    char text[TEXT_MAX];
    uint64_t first = stage->acts > RECENT ? stage->acts - RECENT : 0;
    for (uint64_t i = first; i < stage->acts; i++) {
        act_describe(&stage->recent[i % RECENT], text, sizeof text);
        print_error("act %" PRIu64 " at %.3f ms: %s\n", i,
                    (double)(stage->recent_at[i % RECENT] - stage->ledger->began) / 1e6, text);
    }
}

static void fail_scene(struct stage *stage, const char *text) {
    print_error("%s\nscene \"%s\", seed %" PRIu64 ", at %.3f ms\n", text, stage->scene->title,
                stage->seed, (double)(now_ns() - stage->ledger->began) / 1e6);
    report_acts(stage);
    report_posts(stage->ledger, posts_of(stage));
    kill_silently(stage);
    (void)shmipc_remove_dead_region(stage->ledger->region.text);
    fail();
}

static void fail_call(struct stage *stage, const struct verdict *verdict) {
    char text[TEXT_MAX];
    report_call(stage->ledger, verdict->offender);
    (void)snprintf(text, sizeof text, "call %" PRIu64 ": %s", verdict->offender, verdict->what);
    fail_scene(stage, text);
}

static void fail_process(struct stage *stage, unsigned number, const char *what) {
    char text[TEXT_MAX + NOTE_MAX];
    (void)snprintf(text, sizeof text, "process %u %s", number, what);
    fail_scene(stage, text);
}

/* ---- Watching ---- */

static void watch_end(struct stage *stage, unsigned number) {
    int status = 0;
    if (stage->pids[number] == 0 || waitpid(stage->pids[number], &status, WNOHANG) == 0)
        return;
    stage->pids[number] = 0;
    fail_process(stage, number, "has ended of its own");
}

static void watch_desk(struct stage *stage, unsigned number, const struct desk *desk) {
    uint64_t call = atomic_load(&desk->call);
    uint64_t since = atomic_load(&desk->since);
    if (call != 0 && now_ns() > since + HANGS_AFTER && atomic_load(&desk->call) == call)
        fail_process(stage, number, "has a call that hangs");
}

static void watch(struct stage *stage) {
    for (unsigned i = 0; i < posts_of(stage); i++) {
        struct post *post = &stage->ledger->posts[i];
        if (atomic_load(&post->faulty))
            fail_process(stage, i, post->note);
        watch_end(stage, i);
        for (unsigned desk = 0; desk < DESKS; desk++)
            watch_desk(stage, i, &post->desks[desk]);
    }
    if (atomic_load(&stage->ledger->garbled) != 0)
        fail_scene(stage, "a handler got a request that nobody made, or that changed");
}

typedef bool condition(const struct stage *stage, unsigned number, uint64_t measure);

/* Until it holds of this process. */
static void await(struct stage *stage, condition *holds, unsigned number, uint64_t measure,
                  const char *otherwise) {
    uint64_t patience = now_ns() + PATIENCE;
    while (!holds(stage, number, measure)) {
        watch(stage);
        if (now_ns() > patience)
            fail_process(stage, number, otherwise);
        nap(200);
    }
}

static bool has_answered(const struct stage *stage, unsigned number, uint64_t more_than) {
    return atomic_load(&stage->ledger->posts[number].answered) > more_than;
}

static bool has_obeyed(const struct stage *stage, unsigned number, uint64_t order) {
    return atomic_load(&stage->ledger->posts[number].obeyed) == order;
}

/* Everybody's calls are answered, also those that began after this. */
static void await_progress(struct stage *stage) {
    uint64_t before[POSTS] = {0};
    for (unsigned i = 0; i < posts_of(stage); i++)
        before[i] = atomic_load(&stage->ledger->posts[i].answered);
    for (unsigned i = 0; i < posts_of(stage); i++)
        await(stage, has_answered, i, before[i] + GUEST_CALLERS, "gets no answers any more");
}

/* What is wrong already need not wait for the end. */
static void judge_the_latest(struct stage *stage) {
    uint64_t next = atomic_load(&stage->ledger->next);
    struct verdict verdict = judge_all(stage->ledger, next < LATEST ? 0 : next - LATEST, false);
    if (verdict.what != NULL)
        fail_call(stage, &verdict);
}

/* ---- Processes ---- */

static pid_t start_go(unsigned number) {
    char path[64];
    char post[16];
    ledger_path(path);
    (void)snprintf(post, sizeof post, "%u", number);
    const char *const arguments[] = {GO_GUEST_PROGRAM, path, post, NULL};
    return (pid_t)process_start(arguments).pid;
}

static void start(struct stage *stage, unsigned number) {
    struct post *post = &stage->ledger->posts[number];
    uint32_t incarnation = atomic_fetch_add(&stage->ledger->incarnations, 1) + 1;
    must(incarnation < INCARNATIONS_MAX);
    memset(post, 0, sizeof *post);
    atomic_store(&post->incarnation, incarnation);
    atomic_store(&post->guests, stage->scene->guests);
    stage->roles[number] = (struct role){.ledger = stage->ledger, .number = number};
    if (number != HOST && stage->scene->languages[number - 1] == IN_GO)
        stage->pids[number] = start_go(number);
    else
        stage->pids[number] = child_start(chaos_peer, &stage->roles[number]);
}

static void signal_to(const struct stage *stage, unsigned number, int signal_number) {
    must_equal(kill(stage->pids[number], signal_number), 0);
}

/* Its region stays until another host replaces it, or another process removes it. */
static void kill_process(struct stage *stage, unsigned number) {
    struct post *post = &stage->ledger->posts[number];
    signal_to(stage, number, SIGKILL);
    int status = child_wait(stage->pids[number]);
    stage->pids[number] = 0;
    stage->kills++;
    stage->ledger->killed[atomic_load(&post->incarnation)] = 1;
    if (status != STATUS_KILLED)
        fail_process(stage, number, "had ended of its own");
    for (unsigned i = 0; i < DESKS; i++)
        desk_clear(&post->desks[i]);
}

/* ---- Orders ---- */

static uint32_t order(struct stage *stage, unsigned number, enum order what) {
    struct post *post = &stage->ledger->posts[number];
    uint32_t next = (atomic_load(&post->order) / 256 + 1) * 256 + what;
    atomic_store(&post->order, next);
    return next;
}

static void have(struct stage *stage, unsigned number, enum order what) {
    await(stage, has_obeyed, number, order(stage, number, what), "does not do what it is told");
}

static void have_all(struct stage *stage, enum order what) {
    uint32_t orders[POSTS] = {0};
    for (unsigned i = 0; i < posts_of(stage); i++)
        orders[i] = order(stage, i, what);
    for (unsigned i = 0; i < posts_of(stage); i++)
        await(stage, has_obeyed, i, orders[i], "does not do what it is told");
}

static void muster(struct stage *stage) {
    stage->musters++;
    have(stage, HOST, ORDER_GATHER);
    have_all(stage, ORDER_QUIET);
    for (unsigned i = 0; i < posts_of(stage); i++)
        have(stage, i, ORDER_PROVE);
    have_all(stage, ORDER_RESUME);
}

static void have_end(struct stage *stage, unsigned number) {
    char text[TEXT_MAX];
    uint64_t patience = now_ns() + PATIENCE;
    int status = 0;
    (void)order(stage, number, ORDER_END);
    while (waitpid(stage->pids[number], &status, WNOHANG) == 0) {
        if (now_ns() > patience)
            fail_process(stage, number, "does not end");
        nap(1000);
    }
    stage->pids[number] = 0;
    (void)snprintf(text, sizeof text, "has ended with status 0x%x", (unsigned)status);
    if (atomic_load(&stage->ledger->posts[number].faulty))
        fail_process(stage, number, stage->ledger->posts[number].note);
    if (status != 0)
        fail_process(stage, number, text);
}

/* ---- Acts ---- */

static void remove_dead_region(struct stage *stage) {
    if (shmipc_remove_dead_region(stage->ledger->region.text) != SHMIPC_OK)
        fail_scene(stage, shmipc_last_error());
    if (count_regions() != 0)
        fail_scene(stage, "a removed region is still there");
}

static void kill_and_replace(struct stage *stage, const struct act *act, unsigned victim) {
    kill_process(stage, victim);
    nap(act->pause_us);
    if (victim == HOST && act->removes)
        remove_dead_region(stage);
    start(stage, victim);
}

static void kill_all_guests(struct stage *stage, const struct act *act) {
    unsigned first = stage->scene->hosts ? 2 : 1;
    for (unsigned i = first; i < posts_of(stage); i++)
        kill_process(stage, i);
    nap(act->pause_us);
    for (unsigned i = first; i < posts_of(stage); i++)
        start(stage, i);
}

static void stop_and_continue(struct stage *stage, const struct act *act) {
    signal_to(stage, act->victim, SIGSTOP);
    nap(act->pause_us);
    signal_to(stage, act->victim, SIGCONT);
}

static void stop_and_kill(struct stage *stage, const struct act *act) {
    signal_to(stage, act->victim, SIGSTOP);
    nap(act->pause_us);
    kill_and_replace(stage, act, act->victim);
}

/* The stopped guest may sleep on what the other one leaves behind. */
static void kill_beside_stopped(struct stage *stage, const struct act *act) {
    unsigned next = act->victim == stage->scene->guests ? 1 : act->victim + 1;
    if (stage->scene->hosts && next == 1)
        next = act->victim == 2 ? 3 : 2;
    signal_to(stage, act->victim, SIGSTOP);
    kill_and_replace(stage, act, next);
    signal_to(stage, act->victim, SIGCONT);
}

static void signal_to_other_side(const struct stage *stage, unsigned number, int signal_number) {
    if (number != HOST)
        signal_to(stage, HOST, signal_number);
    for (unsigned i = 1; number == HOST && i < posts_of(stage); i++)
        signal_to(stage, i, signal_number);
}

/* What is under way then stays as it is until the leaving one is gone. */
static void leave_stopped(struct stage *stage, const struct act *act) {
    signal_to_other_side(stage, act->victim, SIGSTOP);
    have(stage, act->victim, ORDER_LEAVE);
    signal_to_other_side(stage, act->victim, SIGCONT);
}

static void perform(struct stage *stage, const struct act *act) {
    nap(act->delay_us);
    switch (act->kind) {
    case ACT_KILL:
        kill_and_replace(stage, act, act->victim);
        break;
    case ACT_STOP:
        stop_and_continue(stage, act);
        break;
    case ACT_KILL_STOPPED:
        stop_and_kill(stage, act);
        break;
    case ACT_KILL_BESIDE:
        kill_beside_stopped(stage, act);
        break;
    case ACT_KILL_ALL_GUESTS:
        kill_all_guests(stage, act);
        break;
    case ACT_LEAVE:
        have(stage, act->victim, ORDER_LEAVE);
        break;
    case ACT_LEAVE_STOPPED:
        leave_stopped(stage, act);
        break;
    default:
        muster(stage);
    }
}

static void next_act(struct stage *stage) {
    struct act act = plan_next(&stage->plan);
    stage->recent[stage->acts % RECENT] = act;
    stage->recent_at[stage->acts % RECENT] = now_ns();
    stage->acts++;
    perform(stage, &act);
    await_progress(stage);
    judge_the_latest(stage);
}

/* ---- The end ---- */

/* A host that leaves gracefully leaves nothing behind; a killed one its region, to be removed. */
static void end_everybody(struct stage *stage) {
    muster(stage);
    await_progress(stage);
    if (stage->scene->hosts)
        kill_process(stage, HOST);
    else
        kill_process(stage, 1);
    for (unsigned i = 0; i < posts_of(stage); i++) {
        if (stage->pids[i] != 0)
            have_end(stage, i);
    }
    if (stage->scene->hosts) {
        if (count_regions() != 1 ||
            shmipc_dead_regions(stage->ledger->region.text, NULL, NULL) != 1)
            fail_scene(stage, "the region of a killed host is not there");
        remove_dead_region(stage);
    } else if (count_regions() != 0) {
        fail_scene(stage, "a host that left gracefully has left its region");
    }
}

/* All processes are gone: what a handler has not done by now, none will. */
static void judge_finally(struct stage *stage) {
    struct verdict verdict = judge_all(stage->ledger, 0, true);
    if (verdict.what != NULL)
        fail_call(stage, &verdict);
    const uint64_t *promised = verdict.promised;
    print_message("             %" PRIu64 " acts, %" PRIu64 " kills, %" PRIu64 " musters, %" PRIu64
                  " calls: %" PRIu64 " answered, %" PRIu64 " failed, %" PRIu64
                  " never started, %" PRIu64 " started, %" PRIu64 " at large\n",
                  stage->acts, stage->kills, stage->musters, verdict.offender,
                  promised[PROMISES_ANSWER], promised[PROMISES_FAILURE], promised[PROMISES_NOTHING],
                  promised[PROMISES_ONE], promised[PROMISES_AT_LARGE]);
    for (enum promise i = PROMISES_ANSWER; i <= PROMISES_AT_LARGE; i++)
        assert_true(promised[i] > 0);
}

void scene_play(const struct scene *scene, unsigned seconds, uint64_t seed) {
    struct stage stage = {.scene = scene,
                          .ledger = ledger_open(seconds, seed),
                          .plan = plan_of(seed, scene->guests, scene->hosts),
                          .seed = seed};
    uint64_t until = now_ns() + seconds * (uint64_t)SECOND;
    for (unsigned i = 0; i < posts_of(&stage); i++)
        start(&stage, i);
    await_progress(&stage);
    while (now_ns() < until)
        next_act(&stage);
    end_everybody(&stage);
    judge_finally(&stage);
    ledger_close(stage.ledger);
}
