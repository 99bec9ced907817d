/*
 * docs/examples/minimal_guest, a guest that shares only the protocol with the library, with real
 * hosts. In the environment MINIMAL_GUEST names another program to test, and MINIMAL_GUEST_PATIENCE
 * the seconds within which things must happen: minimal_guest_mutants.sh has guests that are wrong.
 */
#define _GNU_SOURCE
#include "hazard/peers.h"
#include "support/processes.h"

#include "region/slot.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FUTEX_WAKE = 1 };

/* What the guest does, and its exit statuses: see minimal_guest.c. */
enum { TYPE_REFUSED = 200 };
enum {
    STATUS_STOPPED = 0,
    STATUS_CALL_FAILED = 1,
    STATUS_NO_REGION = 2,
    STATUS_HOST_LEFT = 3,
    STATUS_HOST_DIED = 4,
    STATUS_CORRUPT = 5
};
enum { CAPACITY = 1024, RESPONSE_CAPACITY = 512 };

static int64_t patience(void) {
    const char *seconds = getenv("MINIMAL_GUEST_PATIENCE");
    return (seconds == NULL ? 20 : strtol(seconds, NULL, 10)) * SECOND;
}

/* Like eventually, but fails when it takes too long. */
#define in_time(condition)                                                                         \
    do {                                                                                           \
        const uint64_t latest = now_ns() + (uint64_t)patience();                                   \
        eventually((condition) || now_ns() > latest);                                              \
        must(now_ns() <= latest);                                                                  \
    } while (0)

static struct process start_guest(const char *region, const char *text) {
    const char *other = getenv("MINIMAL_GUEST");
    const char *const arguments[] = {other == NULL ? MINIMAL_GUEST_PROGRAM : other, region, text,
                                     NULL};
    return process_start(arguments);
}

/* As process_wait. */
static int end_of(struct process guest) {
    siginfo_t information = {.si_pid = 0};
    in_time(waitid(P_PID, (id_t)guest.pid, &information, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            information.si_pid != 0);
    return process_wait(guest);
}

static void stop_guest(struct process guest) {
    must_equal(kill((pid_t)guest.pid, SIGTERM), 0);
    must_equal(end_of(guest), STATUS_STOPPED);
}

/* A host that serves, and its guests. */
struct scenery {
    struct region_name name;
    shmipc_peer *host;
    struct server server;
    atomic_uint from_only_calls; /* requests with that text */
};

static const char only_calls[] = "a guest that only calls";

/* Echoes; answers a single byte so late that the waiting caller sleeps. */
static int host_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    struct scenery *s = context;
    if (request->length == sizeof only_calls - 1 &&
        memcmp(request->data, only_calls, request->length) == 0)
        atomic_fetch_add(&s->from_only_calls, 1);
    for (unsigned i = 0; i < 20 && request->length == 1; i++)
        pause_briefly();
    return echo_handler(NULL, request, response);
}

static void open_host(struct scenery *s, const shmipc_host_config *config) {
    s->name = new_name();
    must_equal(shmipc_host_create(s->name.text, config, &s->host), SHMIPC_OK);
    atomic_store(&s->from_only_calls, 0);
    server_start(&s->server, s->host, host_handler, s);
}

static void open_scenery(struct scenery *s, uint32_t request_capacity, uint32_t response_capacity) {
    shmipc_host_config config = test_host_config();
    config.request_capacity = request_capacity;
    config.response_capacity = response_capacity;
    open_host(s, &config);
}

static void close_scenery(struct scenery *s) {
    must_equal(shmipc_shutdown(s->host, patience()), SHMIPC_OK);
    (void)server_join(&s->server);
    shmipc_free(s->host);
}

static int call(shmipc_peer *host, uint32_t type, const void *data, size_t length,
                shmipc_response *response) {
    const shmipc_request request = {.data = data, .length = length, .type = type};
    return shmipc_call(host, &request, response, patience());
}

/* ---- Messages ---- */

static void echo(shmipc_peer *host, uint32_t type, size_t length) {
    uint8_t *sent = malloc(length + 1);
    uint8_t *got = malloc(length + 1);
    must(sent != NULL && got != NULL);
    shmipc_response response = {.data = got, .capacity = length};
    pattern_fill(sent, length, length + type);
    must_equal(call(host, type, sent, length, &response), SHMIPC_OK);
    must_equal(response.length, length);
    must_equal(response.type, type);
    must(pattern_holds(got, length, length + type));
    free(sent);
    free(got);
}

/* A request that ends where the buffer ends. */
static void echo_at_end(shmipc_peer *host, size_t length) {
    shmipc_slot slot;
    shmipc_response response;
    size_t capacity = 0;
    must_equal(shmipc_slot_claim(host, patience(), &slot), SHMIPC_OK);
    uint8_t *buffer = shmipc_slot_buffer(slot, &capacity);
    pattern_fill(buffer + capacity - length, length, length);
    must_equal(shmipc_slot_send(slot, 0, length, SHMIPC_ALIGN_END), SHMIPC_OK);
    must_equal(shmipc_slot_receive(slot, patience(), &response), SHMIPC_OK);
    must_equal(response.length, length);
    must(pattern_holds(response.data, length, length));
    must_equal(shmipc_slot_release(slot), SHMIPC_OK);
}

static void echo_every_length(shmipc_peer *host, size_t most) {
    static const uint32_t types[] = {SHMIPC_TYPE_NORMAL, SHMIPC_TYPE_FLATBUFFER,
                                     SHMIPC_TYPE_GUEST_CALL, SHMIPC_TYPE_APPLICATION, UINT32_MAX};
    static const size_t lengths[] = {0,   1,   2,   7,   15,  16,  17,  31,  32,  33,
                                     47,  48,  49,  63,  64,  65,  95,  96,  97,  111,
                                     112, 113, 127, 128, 129, 255, 256, 257, 448, 511};
    for (unsigned t = 0; t < sizeof types / sizeof *types; t++) {
        for (unsigned i = 0; i < sizeof lengths / sizeof *lengths && lengths[i] < most; i++)
            echo(host, types[t], lengths[i]);
        echo(host, types[t], most);
    }
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths && lengths[i] < most; i++)
        echo_at_end(host, lengths[i]);
    echo_at_end(host, most);
}

/* Also its calls to the host, which it does for a request of the type GUEST_CALL. */
static void minimal_guest_answers_messages_of_every_kind_and_length(void **state) {
    static const uint32_t capacities[][2] = {
        {64, 64}, {128, 128}, {CAPACITY, RESPONSE_CAPACITY}, {1 << 20, 1 << 20}};
    (void)state;
    for (unsigned i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        struct scenery s;
        open_scenery(&s, capacities[i][0], capacities[i][1]);
        struct process guest = start_guest(s.name.text, NULL);
        must_equal(shmipc_wait_guests(s.host, 1, patience()), SHMIPC_OK);
        echo_every_length(s.host, capacities[i][1]);
        must_equal(shmipc_ping(s.host, patience(), NULL), SHMIPC_OK);
        close_scenery(&s);
        must_equal(end_of(guest), STATUS_HOST_LEFT);
    }
}

static void minimal_guest_tells_errors(void **state) {
    struct scenery s;
    char text[RESPONSE_CAPACITY];
    static const char large[CAPACITY];
    shmipc_response response = {.data = text, .capacity = sizeof text};
    (void)state;
    open_scenery(&s, CAPACITY, RESPONSE_CAPACITY);
    struct process guest = start_guest(s.name.text, NULL);
    must_equal(shmipc_wait_guests(s.host, 1, patience()), SHMIPC_OK);

    must_equal(call(s.host, TYPE_REFUSED, "no such key", 11, &response), SHMIPC_E_HANDLER);
    must_equal(response.length, 11);
    must_equal(memcmp(text, "no such key", 11), 0);
    must_equal(call(s.host, TYPE_REFUSED, "", 0, &response), SHMIPC_E_HANDLER);
    must_equal(call(s.host, TYPE_REFUSED, large, sizeof large, &response), SHMIPC_E_HANDLER);
    must_equal(response.length, RESPONSE_CAPACITY); /* shortened */
    must_equal(call(s.host, 0, large, RESPONSE_CAPACITY + 1, &response), SHMIPC_E_TOO_LARGE);
    must(strstr(shmipc_last_error(), "513") != NULL && strstr(shmipc_last_error(), "512") != NULL);
    echo(s.host, 0, 5);

    stop_guest(guest);
    close_scenery(&s);
}

/* ---- Several callers, several guests ---- */

enum { CALLERS = 4, CALLS = 400 };

static void *make_calls(void *context) {
    for (unsigned i = 0; i < CALLS; i++)
        echo(context, i % 8 == 0 ? SHMIPC_TYPE_GUEST_CALL : SHMIPC_TYPE_NORMAL, draw(200));
    return NULL;
}

static void minimal_guests_share_the_requests_of_several_callers(void **state) {
    struct scenery s;
    pthread_t threads[CALLERS];
    struct process guests[2];
    (void)state;
    open_scenery(&s, CAPACITY, RESPONSE_CAPACITY);
    for (unsigned i = 0; i < 2; i++)
        guests[i] = start_guest(s.name.text, NULL);
    must_equal(shmipc_wait_guests(s.host, 2, patience()), SHMIPC_OK);
    for (unsigned i = 0; i < CALLERS; i++)
        threads[i] = thread_start(make_calls, s.host);
    for (unsigned i = 0; i < CALLERS; i++)
        thread_join(threads[i]);
    stop_guest(guests[0]); /* the other one goes on */
    echo(s.host, 0, 100);
    close_scenery(&s);
    must_equal(end_of(guests[1]), STATUS_HOST_LEFT);
}

/* ---- Wakes ---- */

/* Sleepers look by themselves every 100 ms. In each of these calls there are four sleeps: the
   guest's for the request, the host's for the answer, and the same two for the guest's own call. If
   a wake is missing, each call takes a tick or more. */
static void no_wake_is_missing_between_minimal_guest_and_host(void **state) {
    enum { ROUNDS = 30, ROUND_MS = 50 };
    struct scenery s;
    (void)state;
    open_scenery(&s, CAPACITY, RESPONSE_CAPACITY);
    struct process guest = start_guest(s.name.text, NULL);
    must_equal(shmipc_wait_guests(s.host, 1, patience()), SHMIPC_OK);
    const uint64_t begin = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++) {
        pause_briefly();
        echo(s.host, SHMIPC_TYPE_GUEST_CALL, 1);
        must(now_ns() - begin < (uint64_t)MILLISECOND * ROUNDS * ROUND_MS);
    }
    close_scenery(&s);
    must_equal(end_of(guest), STATUS_HOST_LEFT);
}

/* The region as the test sees it, beside the library. */
struct view {
    struct region_layout *shared;
    size_t size;
};

static struct view view_open(const char *name) {
    struct view view;
    struct stat status;
    char path[256];
    path_of(name, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    must(fd >= 0 && fstat(fd, &status) == 0);
    view.size = (size_t)status.st_size;
    view.shared = mmap(NULL, view.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must((void *)view.shared != MAP_FAILED);
    must_equal(close(fd), 0);
    return view;
}

static struct slot *slot_of(const struct view *view, uint32_t number) {
    const size_t stride = view->shared->header.slot_stride;
    return (void *)((uint8_t *)view->shared + SLOTS_OFFSET + number * stride);
}

static unsigned slots_in(const struct view *view, uint32_t first, uint32_t slots,
                         enum slot_state state) {
    unsigned count = 0;
    for (uint32_t i = 0; i < slots; i++)
        count += word_state(slot_look_again(slot_of(view, first + i))) == state;
    return count;
}

static unsigned host_slots_in(const struct view *view, enum slot_state state) {
    return slots_in(view, 0, view->shared->header.host_slots, state);
}

static struct eventcount *requests_of(const struct view *view) {
    return &view->shared->eventcounts[EVENTCOUNT_HOST_REQUEST].eventcount;
}

/* Until no request waits in a host slot. */
static int wait_for_takers(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    eventually(host_slots_in(context, SLOT_REQUEST) == 0);
    return echo_handler(NULL, request, response);
}

static void send_in_vain(shmipc_peer *host, shmipc_slot *slot) {
    must_equal(shmipc_slot_claim(host, patience(), slot), SHMIPC_OK);
    must_equal(shmipc_slot_send(*slot, SHMIPC_TYPE_GUEST_CALL, 0, 0), SHMIPC_OK);
}

/* Two guests sleep, and a peer is said to poll: so nobody notifies of two requests, until one
   notification wakes one guest. The request that it takes is answered when the other one is taken
   too. */
static void pass_on_once(shmipc_peer *host, const struct view *view) {
    enum { BOTH = 6, POLLER = 1 << (16 + 9) };
    shmipc_slot slots[2];
    shmipc_response response;
    struct eventcount *requests = requests_of(view);
    in_time((load_seq_cst32(&requests->sleepers) & BOTH) == BOTH);
    or_seq_cst32(&requests->sleepers, POLLER);
    for (unsigned i = 0; i < 2; i++)
        send_in_vain(host, &slots[i]);
    add_seq_cst32(&requests->generation, 1);
    (void)syscall(SYS_futex, &requests->generation, FUTEX_WAKE, 1, NULL, NULL, 0);
    in_time(host_slots_in(view, SLOT_RESPONSE) == 2);
    and_seq_cst32(&requests->sleepers, ~(uint32_t)POLLER);
    for (unsigned i = 0; i < 2; i++) {
        must_equal(shmipc_slot_receive(slots[i], patience(), &response), SHMIPC_OK);
        must_equal(shmipc_slot_release(slots[i]), SHMIPC_OK);
    }
}

static void woken_minimal_guest_wakes_another_for_another_request(void **state) {
    enum { ROUNDS = 40, ROUND_MS = 30 };
    struct scenery s = {.name = new_name()};
    struct process guests[2];
    shmipc_host_config config = test_host_config();
    (void)state;
    must_equal(shmipc_host_create(s.name.text, &config, &s.host), SHMIPC_OK);
    struct view view = view_open(s.name.text);
    server_start(&s.server, s.host, wait_for_takers, &view);
    for (unsigned i = 0; i < 2; i++)
        guests[i] = start_guest(s.name.text, NULL);
    must_equal(shmipc_wait_guests(s.host, 2, patience()), SHMIPC_OK);
    const uint64_t begin = now_ns();
    for (unsigned i = 0; i < ROUNDS; i++) {
        pass_on_once(s.host, &view);
        must(now_ns() - begin < (uint64_t)MILLISECOND * ROUNDS * ROUND_MS);
    }
    close_scenery(&s);
    for (unsigned i = 0; i < 2; i++)
        must_equal(end_of(guests[i]), STATUS_HOST_LEFT);
    must_equal(munmap(view.shared, view.size), 0);
}

/* ---- Coming and going ---- */

static void expect_event(shmipc_peer *host, shmipc_event_kind kind, struct process guest) {
    shmipc_event event;
    must_equal(shmipc_next_event(host, patience(), &event), SHMIPC_OK);
    must_equal(event.kind, kind);
    must_equal(event.pid, guest.pid);
}

static void minimal_guest_comes_and_leaves_in_order(void **state) {
    struct scenery s;
    (void)state;
    open_scenery(&s, CAPACITY, RESPONSE_CAPACITY);
    for (unsigned i = 0; i < 3; i++) {
        struct process guest = start_guest(s.name.text, NULL);
        expect_event(s.host, SHMIPC_EVENT_ATTACHED, guest);
        echo(s.host, 0, 60);
        stop_guest(guest);
        expect_event(s.host, SHMIPC_EVENT_LEFT, guest);
        must_equal(call(s.host, 0, "", 0, NULL), SHMIPC_E_NO_PEER);
    }
    struct process guest = start_guest(s.name.text, only_calls);
    expect_event(s.host, SHMIPC_EVENT_ATTACHED, guest);
    expect_event(s.host, SHMIPC_EVENT_LEFT, guest);
    must_equal(end_of(guest), 0);
    must_equal(atomic_load(&s.from_only_calls), 1);
    close_scenery(&s);
    guest = start_guest(s.name.text, NULL);
    must_equal(end_of(guest), STATUS_NO_REGION);
}

static unsigned guest_slots_in(const struct view *view, enum slot_state state) {
    return slots_in(view, view->shared->header.host_slots, view->shared->header.guest_slots, state);
}

/* With a request that no worker takes, then with a handler that runs. */
static void minimal_guest_gives_up_its_call_when_it_is_stopped(void **state) {
    struct gated gated = {0};
    struct server server;
    shmipc_peer *host;
    const shmipc_host_config config = test_host_config();
    const struct region_name name = new_name();
    (void)state;
    must_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    struct view view = view_open(name.text);
    struct process guest = start_guest(name.text, "unheard");
    in_time(guest_slots_in(&view, SLOT_REQUEST) == 1);
    must_equal(kill((pid_t)guest.pid, SIGTERM), 0);
    must_equal(end_of(guest), STATUS_CALL_FAILED);
    must_equal(guest_slots_in(&view, SLOT_FREE), config.guest_slots);

    server_start(&server, host, gated_handler, &gated);
    guest = start_guest(name.text, "unanswered");
    gate_await(&gated.entered, 1);
    must_equal(kill((pid_t)guest.pid, SIGTERM), 0);
    must_equal(end_of(guest), STATUS_CALL_FAILED);
    must_equal(guest_slots_in(&view, SLOT_CANCELLED), 1);
    gate_pass(&gated.leave);
    in_time(guest_slots_in(&view, SLOT_FREE) == config.guest_slots);
    must_equal(shmipc_shutdown(host, patience()), SHMIPC_OK);
    (void)server_join(&server);
    shmipc_free(host);
    must_equal(munmap(view.shared, view.size), 0);
}

/* A host that is to be killed: it calls, or its handler does not return. */
struct victim {
    struct region_name name;
    struct gate there;
    struct gate busy;
};

static int be_host(void *context) {
    shmipc_host_config config = test_host_config();
    struct victim *victim = context;
    shmipc_peer *host;
    must_equal(shmipc_host_create(victim->name.text, &config, &host), SHMIPC_OK);
    gate_pass(&victim->there);
    must_equal(shmipc_wait_guests(host, 1, patience()), SHMIPC_OK);
    while (host != NULL) {
        echo(host, 0, draw(200));
        gate_pass(&victim->busy);
    }
    return 1;
}

static int hang(void *context, const shmipc_request *request, shmipc_response *response) {
    struct victim *victim = context;
    (void)request;
    (void)response;
    gate_pass(&victim->busy);
    eventually(victim == NULL);
    return 0;
}

static int be_hanging_host(void *context) {
    shmipc_host_config config = test_host_config();
    struct victim *victim = context;
    shmipc_peer *host;
    must_equal(shmipc_host_create(victim->name.text, &config, &host), SHMIPC_OK);
    gate_pass(&victim->there);
    return shmipc_serve(host, hang, victim);
}

/* The next host takes the name of the one that was killed. */
static void kill_hosts(int (*host)(void *), const char *text, unsigned calls) {
    struct victim *victim = shared_memory(sizeof *victim);
    victim->name = new_name();
    for (unsigned round = 1; round <= 5; round++) {
        pid_t child = child_start(host, victim);
        gate_await(&victim->there, round);
        const unsigned before = atomic_load(&victim->busy.passed);
        struct process guest = start_guest(victim->name.text, text);
        gate_await(&victim->busy, before + calls);
        dawdle(1000000);
        child_kill(child);
        must_equal(end_of(guest), STATUS_HOST_DIED);
    }
    remove_planted(victim->name.text);
    shared_memory_free(victim, sizeof *victim);
}

static void minimal_guest_reports_a_host_that_was_killed(void **state) {
    (void)state;
    kill_hosts(be_host, NULL, 5);
    kill_hosts(be_hanging_host, "is anybody there?", 1);
}

/* ---- Corrupt words ---- */

static void corrupt_a_request(uint64_t request, uint32_t length) {
    struct scenery s;
    open_scenery(&s, CAPACITY, RESPONSE_CAPACITY);
    struct view view = view_open(s.name.text);
    struct process guest = start_guest(s.name.text, NULL);
    must_equal(shmipc_wait_guests(s.host, 1, patience()), SHMIPC_OK);
    struct slot *slot = slot_of(&view, 0);
    store_relaxed32(&slot->length, length);
    exchange_seq_cst64(&slot->word, request);
    must_equal(end_of(guest), STATUS_CORRUPT);
    close_scenery(&s);
    must_equal(munmap(view.shared, view.size), 0);
}

static void minimal_guest_ends_where_a_word_is_impossible(void **state) {
    (void)state;
    corrupt_a_request(SLOT_REQUEST, CAPACITY + 1);
    corrupt_a_request(SLOT_REQUEST, UINT32_MAX);
    corrupt_a_request(SLOT_REQUEST | WORD_ERROR, 0);
    corrupt_a_request(SLOT_REQUEST | WORD_RECLAIMED, 0);
    corrupt_a_request(SLOT_REQUEST | UINT64_C(0x1200000000), 0);
}

/* ---- Kills ---- */

struct caller {
    shmipc_peer *host;
    uint32_t type;
    atomic_uint answered;
    atomic_bool stopping;
};

/* What its guest died over is told to have been started; all else waits for the next guest. */
static void *call_on(void *context) {
    struct caller *c = context;
    while (!atomic_load(&c->stopping)) {
        uint8_t question[300];
        uint8_t answer[300];
        const uint32_t length = draw(sizeof question);
        shmipc_response response = {.data = answer, .capacity = sizeof answer};
        pattern_fill(question, length, length);
        int error = call(c->host, c->type, question, length, &response);
        if (error == SHMIPC_OK) {
            must_equal(response.length, length);
            must(pattern_holds(answer, length, length));
            atomic_fetch_add(&c->answered, 1);
        } else {
            must_equal(error, SHMIPC_E_PEER_DIED);
        }
    }
    return NULL;
}

static unsigned total(const struct caller *callers, unsigned count) {
    unsigned sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += atomic_load(&callers[i].answered);
    return sum;
}

static void kill_guests(const struct caller *callers, unsigned count, const char *name) {
    for (unsigned round = 0; round < scaled(100); round++) {
        const unsigned before = total(callers, count);
        struct process guest = start_guest(name, NULL);
        const unsigned more = draw(20);
        in_time(total(callers, count) > before + more);
        dawdle(500000);
        process_kill(guest);
        must_equal(end_of(guest), STATUS_KILLED);
    }
}

static void every_slot_can_be_used(const struct scenery *s) {
    const shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    whole_pool_can_be_claimed(s->host);
    must_equal(shmipc_guest_attach(s->name.text, &config, patience(), &guest), SHMIPC_OK);
    whole_pool_can_be_claimed(guest);
    must_equal(shmipc_shutdown(guest, patience()), SHMIPC_OK);
    shmipc_free(guest);
}

static void minimal_guest_may_be_killed_at_any_moment(void **state) {
    enum { COUNT = 4 };
    struct scenery s;
    struct caller callers[COUNT];
    pthread_t threads[COUNT];
    shmipc_host_config config = test_host_config();
    (void)state;
    config.flags |= SHMIPC_WAIT_READY;
    open_host(&s, &config);
    for (unsigned i = 0; i < COUNT; i++) {
        callers[i] =
            (struct caller){.host = s.host, .type = i % 2 == 0 ? 0 : SHMIPC_TYPE_GUEST_CALL};
        threads[i] = thread_start(call_on, &callers[i]);
    }
    kill_guests(callers, COUNT, s.name.text);
    struct process last = start_guest(s.name.text, NULL);
    for (unsigned i = 0; i < COUNT; i++)
        atomic_store(&callers[i].stopping, true);
    for (unsigned i = 0; i < COUNT; i++)
        thread_join(threads[i]);
    every_slot_can_be_used(&s);
    close_scenery(&s);
    must_equal(end_of(last), STATUS_HOST_LEFT);
}

HAZARD_MAIN("minimal_guest", hazard_test(minimal_guest_answers_messages_of_every_kind_and_length),
            hazard_test(minimal_guest_tells_errors),
            hazard_test(minimal_guests_share_the_requests_of_several_callers),
            hazard_test(no_wake_is_missing_between_minimal_guest_and_host),
            hazard_test(woken_minimal_guest_wakes_another_for_another_request),
            hazard_test(minimal_guest_comes_and_leaves_in_order),
            hazard_test(minimal_guest_gives_up_its_call_when_it_is_stopped),
            hazard_test(minimal_guest_ends_where_a_word_is_impossible),
            hazard_test(minimal_guest_reports_a_host_that_was_killed),
            hazard_test(minimal_guest_may_be_killed_at_any_moment))
