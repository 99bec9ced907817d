/* Event loops that watch a descriptor: no readiness is lost. */
#define _GNU_SOURCE
#include "hazard/loops.h"

#include "peer/peer.h"

#include <limits.h>
#include <sched.h>

/* ---- Steps of arming, in which something may come; named for the linker ---- */

enum { ANY_STEP = -1 };
static struct {
    void (*happens)(void *context); /* NULL: nothing */
    void *context;
    int step; /* before which */
} midst;
static int steps;

static void step(void) {
    void (*happens)(void *context) = midst.happens;
    int this = steps++;
    if (happens == NULL || (midst.step != ANY_STEP && midst.step != this))
        return;
    midst.happens = NULL;
    happens(midst.context);
    midst.happens = midst.step == ANY_STEP ? happens : NULL;
}

int real_clear(struct pollable *pollable, uint64_t until) __asm__("__real_shmi_pollable_clear");
int test_clear(struct pollable *pollable, uint64_t until) __asm__("__wrap_shmi_pollable_clear");
uint32_t real_prepare(struct local_eventcount *e) __asm__("__real_shmi_eventcount_prepare");
uint32_t test_prepare(struct local_eventcount *e) __asm__("__wrap_shmi_eventcount_prepare");
void real_arm(struct local_eventcount *e) __asm__("__real_shmi_eventcount_arm");
void test_arm(struct local_eventcount *e) __asm__("__wrap_shmi_eventcount_arm");

int test_clear(struct pollable *pollable, uint64_t until) {
    step();
    int error = real_clear(pollable, until);
    step();
    return error;
}

uint32_t test_prepare(struct local_eventcount *e) {
    step();
    return real_prepare(e);
}

void test_arm(struct local_eventcount *e) {
    step();
    real_arm(e);
    step();
}

/* ---- No readiness is lost ---- */

/* How a test of many rounds is run. */
struct course {
    size_t depth;   /* calls in flight */
    unsigned loads; /* processes that spin meanwhile */
    bool host_loops;
    bool by_edge;
    bool pinned; /* everybody to one processor */
    bool slow;   /* the loop takes its time between the steps of arming */
};

enum { ROUNDS = 600 };

/* A round that takes so long was interrupted, or waited for a tick. */
#define LONG_ROUND (50 * (uint64_t)MILLISECOND)

_Noreturn static int spin_for_ever(void *context) {
    (void)context;
    for (;;)
        cpu_pause();
}

struct load {
    pid_t spinners[4];
    cpu_set_t before;
};

static void take_time(void *context) {
    (void)context;
    dawdle(20000);
}

static void load_start(struct load *load, const struct course *course) {
    cpu_set_t one;
    midst.happens = course->slow ? take_time : NULL;
    midst.step = ANY_STEP;
    must_equal(sched_getaffinity(0, sizeof load->before, &load->before), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &load->before))
            CPU_SET(cpu, &one);
    }
    if (course->pinned)
        must_equal(sched_setaffinity(0, sizeof one, &one), 0);
    for (unsigned i = 0; i < course->loads; i++)
        load->spinners[i] = child_start(spin_for_ever, NULL);
}

static void load_stop(const struct load *load, const struct course *course) {
    midst.happens = NULL;
    for (unsigned i = 0; i < course->loads; i++)
        child_kill(load->spinners[i]);
    must_equal(sched_setaffinity(0, sizeof load->before, &load->before), 0);
}

static unsigned receive_ready(struct loop *loop) {
    unsigned count = 0;
    for (size_t i = 0; i < loop->count; i++) {
        shmipc_response response;
        if (shmipc_slot_ready(loop->slots[i]) != 1)
            continue;
        must_equal(shmipc_slot_receive(loop->slots[i], 0, &response), SHMIPC_OK);
        count++;
    }
    return count;
}

/* Each of the slots is sent again as soon as it is answered. Returns how many waits were long. */
static unsigned keep_in_flight(struct loop *loop, unsigned rounds) {
    unsigned late = 0;
    for (unsigned done = 0; done < rounds;) {
        for (size_t i = 0; i < loop->count; i++) {
            if (shmipc_slot_ready(loop->slots[i]) == SHMIPC_E_STATE)
                loop_send(loop->slots[i]);
        }
        uint64_t begin = now_ns();
        loop_await(loop);
        late += now_ns() - begin > LONG_ROUND;
        done += receive_ready(loop);
    }
    return late;
}

static void await_all(struct loop *loop) {
    for (size_t i = 0; i < loop->count; i++) {
        shmipc_response response;
        if (shmipc_slot_ready(loop->slots[i]) >= 0)
            must_equal(loop_receive(loop, loop->slots[i], &response), SHMIPC_OK);
    }
}

/* The responder's worker has ticks, which would make up for a notification that it misses. */
static void hear_every_answer(const struct course *course) {
    struct load load;
    struct loop loop;
    struct scene scene = {
        .host_calls = course->host_loops, .handler = echo_handler, .config = loop_config()};
    unsigned rounds = scaled(ROUNDS);
    load_start(&load, course);
    scene_open(&scene);
    loop_open(&loop, scene.caller, 0, course->by_edge);
    loop_claim(&loop, course->depth);
    loop_without_ticks(&loop);
    unsigned late = keep_in_flight(&loop, rounds);
    await_all(&loop);
    loop_close(&loop);
    scene_close(&scene);
    load_stop(&load, course);
    print_message("             %u rounds, %u late\n", rounds, late);
    must(late <= rounds / 100);
}

static const struct course courses[] = {
    {.depth = 1},
    {.depth = LOOP_SLOTS},
    {.depth = 1, .slow = true},
    {.depth = LOOP_SLOTS, .slow = true},
    {.depth = 1, .by_edge = true},
    {.depth = LOOP_SLOTS, .by_edge = true},
    {.depth = 1, .pinned = true},
    {.depth = LOOP_SLOTS, .pinned = true, .by_edge = true},
    {.depth = 1, .loads = 2},
    {.depth = LOOP_SLOTS, .loads = 2, .by_edge = true},
};

static void run_courses(void (*run)(const struct course *course)) {
    for (size_t i = 0; i < sizeof courses / sizeof *courses; i++) {
        struct course course = courses[i];
        for (int host_loops = 0; host_loops < 2; host_loops++) {
            course.host_loops = host_loops;
            run(&course);
        }
    }
}

static void test_a_loop_hears_of_every_answer(void **state) {
    (void)state;
    run_courses(hear_every_answer);
}

/* ---- Requests to a loop that serves ---- */

struct clients {
    struct region_name name;
    bool host;
    size_t threads;
    unsigned rounds; /* of each thread */
    atomic_uint late;
    struct gate ready;
    shmipc_peer *peer;
};

static void *call_many_times(void *context) {
    struct clients *clients = context;
    for (unsigned i = 0; i < clients->rounds; i++) {
        uint64_t begin = now_ns();
        must_equal(call_empty(clients->peer, 20 * SECOND), SHMIPC_OK);
        if (now_ns() - begin > LONG_ROUND)
            atomic_fetch_add(&clients->late, 1);
    }
    return NULL;
}

static int be_clients(void *context) {
    struct clients *clients = context;
    const shmipc_host_config host = loop_config();
    const shmipc_guest_config guest = test_guest_config();
    pthread_t threads[LOOP_SLOTS];
    if (clients->host)
        must_equal(shmipc_host_create(clients->name.text, &host, &clients->peer), 0);
    else
        must_equal(shmipc_guest_attach(clients->name.text, &guest, 20 * SECOND, &clients->peer), 0);
    gate_pass(&clients->ready);
    if (clients->host)
        must_equal(shmipc_wait_guests(clients->peer, 1, 20 * SECOND), 0);
    for (size_t i = 0; i < clients->threads; i++)
        threads[i] = thread_start(call_many_times, clients);
    for (size_t i = 0; i < clients->threads; i++)
        thread_join(threads[i]);
    (void)shmipc_shutdown(clients->peer, 20 * SECOND);
    shmipc_free(clients->peer);
    return 0;
}

static shmipc_peer *meet_clients(const struct clients *clients) {
    const shmipc_host_config host = loop_config();
    const shmipc_guest_config guest = test_guest_config();
    shmipc_peer *peer;
    if (clients->host)
        must_equal(shmipc_guest_attach(clients->name.text, &guest, 20 * SECOND, &peer), 0);
    else
        must_equal(shmipc_host_create(clients->name.text, &host, &peer), 0);
    return peer;
}

/* Until the clients have had all their answers. A guest's loop then hears that its host leaves. */
static void serve_from_loop(struct loop *loop, unsigned requests) {
    for (unsigned served = 0; served < requests;) {
        loop_await(loop);
        int count = shmipc_poll(loop->peer, echo_handler, NULL);
        must(count >= 0);
        served += (unsigned)count;
    }
}

/* A caller that parks waits for its answer alone: without ticks of the loop each signal counts. */
static void hear_every_request(const struct course *course) {
    struct load load;
    struct loop loop;
    struct clients *clients = shared_memory(sizeof *clients);
    clients->name = new_name();
    clients->host = !course->host_loops;
    clients->threads = course->depth;
    clients->rounds = scaled(ROUNDS) / (unsigned)course->depth;
    load_start(&load, course);
    shmipc_peer *peer = clients->host ? NULL : meet_clients(clients);
    pid_t child = child_start(be_clients, clients);
    if (clients->host)
        peer = meet_clients(clients);
    loop_open(&loop, peer, SHMIPC_ARM_REQUESTS, course->by_edge);
    loop_without_ticks(&loop);
    serve_from_loop(&loop, clients->rounds * (unsigned)clients->threads);
    loop_close(&loop);
    shmipc_free(peer);
    must_equal(child_wait(child), 0);
    load_stop(&load, course);
    unsigned late = atomic_load(&clients->late);
    unsigned rounds = clients->rounds * (unsigned)clients->threads;
    print_message("             %u rounds, %u late\n", rounds, late);
    must(late <= rounds / 100);
    shared_memory_free(clients, sizeof *clients);
}

static void test_a_loop_hears_of_every_request(void **state) {
    (void)state;
    run_courses(hear_every_request);
}

/* ---- What comes while a loop arms ---- */

static void answer_now(void *context) {
    stand_answer(context);
}

static shmipc_slot asked;

static void ask_now(void *context) {
    const struct stand *s = context;
    asked = must_claim(s->pair.guest, 0);
    loop_send(asked);
}

static shmipc_peer *arrived;

static void arrive_now(void *context) {
    const shmipc_guest_config config = test_guest_config();
    const struct stand *s = context;
    must_equal(shmipc_guest_attach(s->pair.name.text, &config, 0, &arrived), SHMIPC_OK);
}

static void cancel_now(void *context) {
    const struct stand *s = context;
    must_equal(shmipc_slot_cancel(s->loop.slots[0]), SHMIPC_OK);
}

/* Before this step of arming; returns how many steps there were. */
static int hear_what_comes_before(int at, void (*happens)(void *context)) {
    struct stand s;
    stand_open(&s);
    s.loop.events = ALL_EVENTS;
    loop_without_ticks(&s.loop);
    loop_send(s.loop.slots[0]);
    steps = 0;
    midst.happens = happens;
    midst.context = &s;
    midst.step = at;
    int there = loop_arm(&s.loop);
    int all = steps;
    if (midst.happens != NULL)
        happens(&s);
    midst.happens = NULL;
    must(loop_is_ready(&s.loop, 0));
    must(there == 1 || loop_arm(&s.loop) == 1);
    shmipc_free(arrived);
    arrived = NULL;
    stand_close(&s);
    return all;
}

/* Before each step in turn, and after the last one. */
static void hear_what_comes(void (*happens)(void *context)) {
    int all = hear_what_comes_before(INT_MAX, happens);
    must(all > 0);
    for (int at = 0; at < all; at++)
        (void)hear_what_comes_before(at, happens);
}

static void test_a_loop_hears_of_what_comes_while_it_arms(void **state) {
    (void)state;
    hear_what_comes(answer_now);
    hear_what_comes(cancel_now);
    hear_what_comes(ask_now);
    hear_what_comes(arrive_now);
}

HAZARD_MAIN("loop", hazard_test(test_a_loop_hears_of_every_answer),
            hazard_test(test_a_loop_hears_of_every_request),
            hazard_test(test_a_loop_hears_of_what_comes_while_it_arms))
