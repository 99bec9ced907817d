/* Event loops that watch a descriptor: whatever others do, no readiness is lost, and deaths are
   heard of. */
#define _GNU_SOURCE
#include "hazard/loops.h"

#include "peer/peer.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

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

static void send_in(shmipc_slot slot) {
    must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_APPLICATION, 0, 0), SHMIPC_OK);
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
                send_in(loop->slots[i]);
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

/* ---- Deaths ---- */

struct deathbed {
    struct scene scene;
    struct gated *gated;
    struct loop loop;
};

static void lie_down(struct deathbed *d, bool host_loops, uint32_t events) {
    d->gated = shared_memory(sizeof *d->gated);
    d->scene = (struct scene){.host_calls = host_loops,
                              .handler = gated_handler,
                              .context = d->gated,
                              .config = loop_config()};
    scene_open(&d->scene);
    loop_open(&d->loop, d->scene.caller, events, false);
}

static void bury(struct deathbed *d) {
    loop_close(&d->loop);
    scene_close(&d->scene);
    if (!d->scene.host_calls)
        must_equal(shmipc_remove_dead_region(d->scene.name.text), SHMIPC_OK);
    shared_memory_free(d->gated, sizeof *d->gated);
}

static uint64_t kill_responder(struct deathbed *d) {
    child_kill(scene_responder(&d->scene, 0));
    scene_forget(&d->scene, 0);
    return now_ns();
}

static void test_a_loop_hears_of_its_responders_death(void **state) {
    (void)state;
    for (int host_loops = 0; host_loops < 2; host_loops++) {
        struct deathbed d;
        shmipc_response response;
        lie_down(&d, host_loops, 0);
        loop_claim(&d.loop, 1);
        send_in(d.loop.slots[0]);
        gate_await(&d.gated->entered, 1);
        must_equal(loop_arm(&d.loop), 0);
        uint64_t begin = kill_responder(&d);
        must_equal(loop_receive(&d.loop, d.loop.slots[0], &response), SHMIPC_E_PEER_DIED);
        uint64_t took = now_ns() - begin;
        print_message("             after %llu ms\n", (unsigned long long)took / 1000000);
        must(took < SOON);
        bury(&d);
    }
}

static void test_a_loop_that_serves_hears_of_its_hosts_death(void **state) {
    struct deathbed d;
    (void)state;
    lie_down(&d, false, SHMIPC_ARM_REQUESTS);
    must_equal(loop_arm(&d.loop), 0);
    uint64_t begin = kill_responder(&d);
    loop_await(&d.loop);
    must_equal(shmipc_poll(d.loop.peer, echo_handler, NULL), SHMIPC_E_PEER_DIED);
    must(now_ns() - begin < SOON);
    bury(&d);
}

static void test_a_loop_gets_the_event_of_a_death(void **state) {
    (void)state;
    for (int host_loops = 0; host_loops < 2; host_loops++) {
        struct deathbed d;
        shmipc_event event;
        lie_down(&d, host_loops, SHMIPC_ARM_EVENTS);
        must_equal(loop_arm(&d.loop), 0);
        uint64_t begin = kill_responder(&d);
        loop_await(&d.loop);
        must_equal(shmipc_next_event(d.loop.peer, 0, &event), SHMIPC_OK);
        must_equal(event.kind, SHMIPC_EVENT_DIED);
        must(now_ns() - begin < SOON);
        bury(&d);
    }
}

/* It is readable as long as one of them is there, also if it takes one at a time, or none. */
static void test_a_loop_is_told_of_deaths_until_it_has_taken_all(void **state) {
    enum { GUESTS = 3 };
    struct scene scene = {
        .host_calls = true, .processes = GUESTS, .handler = echo_handler, .config = loop_config()};
    struct loop loop;
    (void)state;
    scene_open(&scene);
    loop_open(&loop, scene.caller, SHMIPC_ARM_EVENTS, false);
    must_equal(loop_arm(&loop), 0);
    for (unsigned i = 0; i < GUESTS; i++) {
        child_kill(scene_responder(&scene, i));
        scene_forget(&scene, i);
    }
    loop_await(&loop);
    for (int i = 0; i < GUESTS; i++) {
        shmipc_event event;
        must_equal(loop_arm(&loop), 1);
        must(loop_is_ready(&loop, 0));
        must_equal(shmipc_next_event(loop.peer, 0, &event), SHMIPC_OK);
        must_equal(event.kind, SHMIPC_EVENT_DIED);
    }
    must_equal(loop_arm(&loop), 0);
    loop_close(&loop);
    scene_close(&scene);
}

/* The only guest dies with the request before it: nobody can take that one. */
static void test_a_loop_hears_that_nobody_is_left(void **state) {
    struct deathbed d;
    shmipc_response response;
    (void)state;
    lie_down(&d, true, 0);
    loop_claim(&d.loop, 2);
    send_in(d.loop.slots[0]);
    gate_await(&d.gated->entered, 1);
    send_in(d.loop.slots[1]);
    must_equal(loop_arm(&d.loop), 0);
    uint64_t begin = kill_responder(&d);
    must_equal(loop_receive(&d.loop, d.loop.slots[0], &response), SHMIPC_E_PEER_DIED);
    loop_await(&d.loop);
    must_equal(loop_arm(&d.loop), 1);
    must_equal(shmipc_slot_ready(d.loop.slots[1]), 1);
    must_equal(shmipc_slot_receive(d.loop.slots[1], 0, &response), SHMIPC_E_NO_PEER);
    must(now_ns() - begin < SOON);
    bury(&d);
}

/* ---- What others do to the armed bits and to the FIFO ---- */

struct stand {
    struct pair pair;
    struct loop loop; /* the host's */
};

static void stand_open(struct stand *s) {
    const shmipc_host_config config = loop_config();
    pair_open(&s->pair, &config);
    loop_open(&s->loop, s->pair.host, 0, false);
    loop_claim(&s->loop, 1);
}

static void stand_close(struct stand *s) {
    loop_close(&s->loop);
    pair_close(&s->pair);
}

static void serve_one(const struct stand *s) {
    must_equal(shmipc_poll(s->pair.guest, echo_handler, NULL), 1);
}

static void answer_now(void *context) {
    const struct stand *s = context;
    must_equal(shmipc_poll(s->pair.guest, echo_handler, NULL), 1);
}

static shmipc_slot asked;

static void ask_now(void *context) {
    const struct stand *s = context;
    asked = must_claim(s->pair.guest, 0);
    send_in(asked);
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
    send_in(s.loop.slots[0]);
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

/* As if it was killed between clearing the bit and writing the byte. */
static void test_a_tick_makes_up_for_a_notifier_that_died(void **state) {
    struct stand s;
    (void)state;
    stand_open(&s);
    send_in(s.loop.slots[0]);
    must_equal(loop_arm(&s.loop), 0);
    and_seq_cst32(s.pair.host->calling.answers.armed, 0xffff);
    uint64_t begin = now_ns();
    serve_one(&s);
    must(!loop_is_ready(&s.loop, 0));
    must(loop_is_ready(&s.loop, 10 * SECOND));
    must(now_ns() - begin < SOON);
    must_equal(loop_arm(&s.loop), 1);
    stand_close(&s);
}

struct siege {
    struct region_name name;
    atomic_bool enough;
    struct gate ready;
};

static void fill(int fifo) {
    static const char bytes[4096];
    while (write(fifo, bytes, sizeof bytes) > 0) {
    }
}

/* Larger than pipes are by default, as one that a peer fills while it is read. */
static void test_a_loop_does_not_read_a_fifo_for_ever(void **state) {
    struct stand s;
    char path[64];
    (void)state;
    stand_open(&s);
    fifo_path(nonce_of(s.pair.host), 0, path);
    int fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    must(fifo >= 0 && fcntl(fifo, F_SETPIPE_SZ, 1 << 20) >= 1 << 20);
    fill(fifo);
    must_equal(loop_arm(&s.loop), 0);
    must(loop_is_ready(&s.loop, 0));
    for (int i = 1; i < 1 << 20 >> 16; i++)
        must_equal(loop_arm(&s.loop), 0);
    must(!loop_is_ready(&s.loop, 0));
    must_equal(close(fifo), 0);
    stand_close(&s);
}

/* Every armed bit is set and cleared, also of peers that are not there, and the host's FIFO is full
   most of the time. */
static int besiege(void *context) {
    struct siege *siege = context;
    shmipc_guest_config config = test_guest_config();
    shmipc_peer *peer;
    char path[64];
    config.flags = SHMIPC_CALLS_ONLY;
    must_equal(shmipc_guest_attach(siege->name.text, &config, 20 * SECOND, &peer), 0);
    struct region_layout *shared = peer->region.shared;
    fifo_path(nonce_of(peer), 0, path);
    int fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    must(fifo >= 0);
    gate_pass(&siege->ready);
    while (!atomic_load(&siege->enough)) {
        for (int i = 0; i < EVENTCOUNTS; i++)
            store_relaxed32(&shared->eventcounts[i].armed, draw(2) ? UINT32_MAX : 0);
        for (int i = 0; i < PEERS; i++)
            store_relaxed32(&shared->peers[i].answers.sleepers, draw(2) ? UINT32_MAX : 0);
        fill(fifo);
    }
    must_equal(close(fifo), 0);
    shmipc_free(peer);
    return 0;
}

static void test_a_hostile_peer_delays_a_loop_but_ends_nothing(void **state) {
    struct siege *siege = shared_memory(sizeof *siege);
    struct scene scene = {.host_calls = true, .handler = echo_handler, .config = loop_config()};
    struct loop loop;
    (void)state;
    scene_open(&scene);
    loop_open(&loop, scene.caller, ALL_EVENTS, false);
    loop_claim(&loop, 1);
    siege->name = scene.name;
    pid_t child = child_start(besiege, siege);
    gate_await(&siege->ready, 1);
    uint64_t end = now_ns() + 400 * (uint64_t)MILLISECOND;
    while (now_ns() < end) {
        shmipc_event event;
        (void)shmipc_next_event(loop.peer, 0, &event);
        must_equal(loop_call(&loop), SHMIPC_OK);
    }
    atomic_store(&siege->enough, true);
    must_equal(child_wait(child), 0);
    loop_close(&loop);
    scene_close(&scene);
    shared_memory_free(siege, sizeof *siege);
}

/* ---- Ends of loops ---- */

static void *close_it(void *context) {
    must_equal(shmipc_close(context), SHMIPC_OK);
    return NULL;
}

static void *shut_it_down(void *context) {
    (void)shmipc_shutdown(context, 100 * MILLISECOND);
    return NULL;
}

/* Whatever the loop waits for. */
static void end_while_it_watches(void *(*end)(void *), uint32_t events, size_t slots) {
    struct stand s;
    stand_open(&s);
    s.loop.count = slots;
    s.loop.events = events;
    if (slots > 0)
        send_in(s.loop.slots[0]);
    loop_without_ticks(&s.loop);
    pthread_t thread = thread_start(end, s.pair.host);
    int error;
    while ((error = loop_arm(&s.loop)) >= 0)
        must(loop_is_ready(&s.loop, 10 * SECOND));
    must_equal(error, SHMIPC_E_CLOSED);
    thread_join(thread);
    s.loop.count = 1;
    stand_close(&s);
}

static void test_a_loop_hears_that_another_thread_closes_its_peer(void **state) {
    (void)state;
    for (unsigned i = 0; i < scaled(20); i++) {
        end_while_it_watches(close_it, 0, 1);
        end_while_it_watches(close_it, SHMIPC_ARM_REQUESTS, 0);
        end_while_it_watches(close_it, SHMIPC_ARM_EVENTS, 0);
    }
    end_while_it_watches(shut_it_down, SHMIPC_ARM_REQUESTS, 0);
    end_while_it_watches(shut_it_down, ALL_EVENTS, 1);
}

/* A host that closes at once answers what nobody has taken. */
static void test_a_loop_hears_that_its_host_closes(void **state) {
    const shmipc_host_config config = loop_config();
    struct pair pair;
    struct loop loop;
    (void)state;
    pair_open(&pair, &config);
    loop_open(&loop, pair.guest, 0, false);
    loop_claim(&loop, 1);
    loop_without_ticks(&loop);
    send_in(loop.slots[0]);
    must_equal(loop_arm(&loop), 0);
    must_equal(shmipc_close(pair.host), SHMIPC_OK);
    must(loop_is_ready(&loop, 10 * SECOND));
    shmipc_response response;
    must_equal(loop_receive(&loop, loop.slots[0], &response), SHMIPC_E_SHUTDOWN);
    loop_close(&loop);
    pair_close(&pair);
}

/* ---- Stops by a signal handler in a thread that signals ---- */

static shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
static atomic_uint stops;

static void stop_here(int number) {
    (void)number;
    shmipc_stop(&token);
    atomic_fetch_add(&stops, 1);
}

struct stopped {
    shmipc_peer *peer;
    atomic_bool over;
};

/* A token that is stopped again and again. */
static void *wait_until_stopped(void *context) {
    struct stopped *stopped = context;
    while (!atomic_load(&stopped->over)) {
        (void)shmipc_serve_until(stopped->peer, echo_handler, NULL, &token);
        token = (shmipc_stop_token)SHMIPC_STOP_TOKEN_INIT;
    }
    return NULL;
}

static void block_alarms(int how) {
    sigset_t alarms;
    (void)sigemptyset(&alarms);
    (void)sigaddset(&alarms, SIGVTALRM);
    must_equal(pthread_sigmask(how, &alarms, NULL), 0);
}

/* This thread answers the other process's loop, and is interrupted in it. */
static int signal_and_be_interrupted(void *context) {
    (void)context;
    const struct sigaction action = {.sa_handler = stop_here, .sa_flags = SA_RESTART};
    const struct itimerval often = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100};
    const struct itimerval never = {.it_value.tv_usec = 0};
    struct stand s;
    stand_open(&s);
    struct stopped stopped = {.peer = s.pair.host};
    must_equal(sigaction(SIGVTALRM, &action, NULL), 0);
    block_alarms(SIG_BLOCK);
    pthread_t thread = thread_start(wait_until_stopped, &stopped);
    block_alarms(SIG_UNBLOCK);
    must_equal(setitimer(ITIMER_VIRTUAL, &often, NULL), 0);
    for (unsigned i = 0; i < scaled(20000) || atomic_load(&stops) < 10; i++) {
        or_seq_cst32(s.pair.host->calling.answers.armed, UINT32_C(1) << 16);
        (void)shmi_eventcount_notify(&s.pair.host->calling.answers, WAKE_ALL);
        must_equal(shmi_pollable_clear(s.pair.host->loop.pollable, UINT64_MAX), SHMIPC_OK);
    }
    must_equal(setitimer(ITIMER_VIRTUAL, &never, NULL), 0);
    atomic_store(&stopped.over, true);
    while (shmipc_stopped(&token) == 0)
        shmipc_stop(&token);
    thread_join(thread);
    stand_close(&s);
    return 0;
}

static void test_a_signal_handler_may_stop_while_its_thread_signals(void **state) {
    (void)state;
    must_equal(child_wait(child_start(signal_and_be_interrupted, NULL)), 0);
}

HAZARD_MAIN("loop", hazard_test(test_a_loop_hears_of_every_answer),
            hazard_test(test_a_loop_hears_of_every_request),
            hazard_test(test_a_loop_hears_of_its_responders_death),
            hazard_test(test_a_loop_that_serves_hears_of_its_hosts_death),
            hazard_test(test_a_loop_gets_the_event_of_a_death),
            hazard_test(test_a_loop_is_told_of_deaths_until_it_has_taken_all),
            hazard_test(test_a_loop_hears_that_nobody_is_left),
            hazard_test(test_a_loop_hears_of_what_comes_while_it_arms),
            hazard_test(test_a_loop_does_not_read_a_fifo_for_ever),
            hazard_test(test_a_tick_makes_up_for_a_notifier_that_died),
            hazard_test(test_a_hostile_peer_delays_a_loop_but_ends_nothing),
            hazard_test(test_a_loop_hears_that_another_thread_closes_its_peer),
            hazard_test(test_a_loop_hears_that_its_host_closes),
            hazard_test(test_a_signal_handler_may_stop_while_its_thread_signals))
