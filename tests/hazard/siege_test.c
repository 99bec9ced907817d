/*
 * Processes are killed at moments that nobody chose, hundreds of times (SHMIPC_HAZARD_SCALE for
 * thousands). The survivor's calls end, its answers are right, and afterwards every slot is usable.
 */
#include "hazard/peers.h"

enum { BYTES = 512, GUESTS = 3, CALLERS = 3 };

static shmipc_host_config siege_config(void) {
    shmipc_host_config config = test_host_config();
    config.host_slots = 3;
    config.guest_slots = 4;
    config.request_capacity = BYTES;
    config.response_capacity = BYTES;
    return config;
}

static int echo_unsteadily(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    dawdle(draw(4) == 0 ? 300000 : 3000);
    return echo_handler(context, request, response);
}

/* ---- A caller that survives ---- */

struct siege {
    struct region_name name;
    shmipc_peer *peer;
    atomic_bool over;
    atomic_ullong answered;
    atomic_ullong bereaved;
};

static bool is_expected(int error) {
    return error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_TIMEOUT_STARTED ||
           error == SHMIPC_E_NO_PEER || error == SHMIPC_E_PEER_DIED || error == SHMIPC_E_SHUTDOWN ||
           error == SHMIPC_E_CLOSED || error == SHMIPC_E_CLOSED_STARTED;
}

static int64_t some_timeout(void) {
    static const int64_t timeouts[] = {0, MILLISECOND / 5, MILLISECOND, 60 * SECOND};
    return timeouts[draw(4)];
}

static int exchange(struct line *line) {
    uint8_t question[BYTES];
    uint8_t answer[BYTES];
    uint64_t seed = now_ns();
    const shmipc_request request = {
        .data = question, .length = draw(3) == 0 ? draw(BYTES + 1) : draw(49), .type = 200};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    pattern_fill(question, request.length, seed);
    if (line->way == WAY_POOLED)
        line_end(line); /* a slot is not waited for while holding one */
    int error = line_call(line, &request, &response, some_timeout());
    must(error == SHMIPC_OK || is_expected(error));
    /* Whatever happened to the other side, a call with a minute's time is over long before that. */
    must(now_ns() - seed < 10 * (uint64_t)SECOND);
    if (error == SHMIPC_OK) {
        must_equal(response.length, request.length);
        must_equal(response.type, 200);
        must(pattern_holds(answer, response.length, seed));
    }
    return error;
}

static void count_result(struct siege *siege, int error) {
    if (error == SHMIPC_OK)
        atomic_fetch_add(&siege->answered, 1);
    if (error == SHMIPC_E_PEER_DIED)
        atomic_fetch_add(&siege->bereaved, 1);
    if (error == SHMIPC_E_NO_PEER)
        pause_briefly();
}

static void *call_during_siege(void *context) {
    struct siege *siege = context;
    struct line line = {.peer = siege->peer};
    while (!atomic_load(&siege->over)) {
        line.way = (enum way)draw(WAYS);
        count_result(siege, exchange(&line));
        if (draw(8) == 0)
            line_end(&line);
    }
    line_end(&line);
    return NULL;
}

/* ---- Guests that are killed ---- */

static void *serve_until_end(void *context) {
    (void)shmipc_serve(context, echo_unsteadily, NULL);
    return NULL;
}

static void call_until_alone(shmipc_peer *peer) {
    struct line line = {.peer = peer};
    int error;
    do {
        line.way = (enum way)draw(WAYS);
        error = exchange(&line);
    } while (error != SHMIPC_E_NO_PEER && error != SHMIPC_E_SHUTDOWN);
    line_end(&line);
}

/* Serves and calls until the host leaves; sometimes it leaves and comes again. */
static int live_as_guest(void *context) {
    const shmipc_guest_config config = test_guest_config();
    const struct siege *siege = context;
    shmipc_peer *peer;
    while (shmipc_guest_attach(siege->name.text, &config, SECOND, &peer) == SHMIPC_OK) {
        pthread_t server = thread_start(serve_until_end, peer);
        struct line line = {.peer = peer};
        for (unsigned i = draw(50); i > 0; i--)
            (void)exchange(&line);
        if (draw(2) == 0)
            call_until_alone(peer);
        shmipc_close(peer);
        thread_join(server);
        shmipc_free(peer);
    }
    return 0;
}

static void a_new_guest_can_use_everything(const char *name, shmipc_peer *host) {
    const shmipc_guest_config config = test_guest_config();
    struct line host_line = {.peer = host};
    struct line guest_line;
    struct server server;
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(name, &config, SECOND, &guest), 0);
    server_start(&server, guest, echo_handler, NULL);
    whole_pool_can_be_claimed(guest);
    whole_pool_can_be_claimed(host);
    guest_line = (struct line){.peer = guest};
    for (int i = 0; i < 20; i++) {
        (void)exchange(&host_line);
        (void)exchange(&guest_line);
    }
    must_equal(shmipc_ping(host, 10 * SECOND, NULL), 0);
    must_equal(shmipc_ping(guest, 10 * SECOND, NULL), 0);
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    shmipc_free(guest);
}

static void test_a_host_survives_the_death_of_guests(void **state) {
    const shmipc_host_config config = siege_config();
    struct siege siege = {.name = new_name()};
    pid_t guests[GUESTS];
    pthread_t callers[CALLERS];
    struct server servers[2];
    (void)state;
    must_equal(shmipc_host_create(siege.name.text, &config, &siege.peer), 0);
    for (int i = 0; i < GUESTS; i++)
        guests[i] = child_start(live_as_guest, &siege);
    for (int i = 0; i < CALLERS; i++)
        callers[i] = thread_start(call_during_siege, &siege);
    for (int i = 0; i < 2; i++)
        server_start(&servers[i], siege.peer, echo_unsteadily, NULL);
    for (unsigned i = 0; i < scaled(400); i++) {
        pid_t *victim = &guests[draw(GUESTS)];
        dawdle(draw(2) == 0 ? 400000 : 6000000);
        child_kill(*victim);
        *victim = child_start(live_as_guest, &siege);
    }
    for (int i = 0; i < GUESTS; i++)
        child_kill(guests[i]);
    atomic_store(&siege.over, true);
    for (int i = 0; i < CALLERS; i++)
        thread_join(callers[i]);
    must(atomic_load(&siege.answered) > 0);
    must(atomic_load(&siege.bereaved) > 0);
    a_new_guest_can_use_everything(siege.name.text, siege.peer);
    for (int i = 0; i < 2; i++)
        (void)server_stop(&servers[i]);
    shmipc_free(siege.peer);
}

/* ---- Hosts that are killed ---- */

static void *host_serves(void *context) {
    (void)shmipc_serve(context, echo_unsteadily, NULL);
    return NULL;
}

_Noreturn static int live_as_host(void *context) {
    const shmipc_host_config config = siege_config();
    struct siege *siege = context;
    shmipc_peer *peer;
    must_equal(shmipc_host_create(siege->name.text, &config, &peer), 0);
    for (int i = 0; i < 2; i++)
        (void)thread_start(host_serves, peer);
    struct line line = {.peer = peer};
    for (;;) {
        line.way = (enum way)draw(WAYS);
        (void)exchange(&line);
    }
}

/* Until its host dies; then everything that runs on the guest says so. */
static void live_through_one_host(struct siege *siege, pid_t host) {
    const shmipc_guest_config config = test_guest_config();
    pthread_t callers[CALLERS];
    struct server server;
    must_equal(shmipc_guest_attach(siege->name.text, &config, 30 * SECOND, &siege->peer), 0);
    atomic_store(&siege->over, false);
    for (int i = 0; i < CALLERS; i++)
        callers[i] = thread_start(call_during_siege, siege);
    server_start(&server, siege->peer, echo_unsteadily, NULL);
    dawdle(draw(2) == 0 ? 400000 : 6000000);
    child_kill(host);
    must_equal(server_join(&server), SHMIPC_E_PEER_DIED);
    atomic_store(&siege->over, true);
    for (int i = 0; i < CALLERS; i++)
        thread_join(callers[i]);
    must_equal(shmipc_ping(siege->peer, 60 * SECOND, NULL), SHMIPC_E_NO_PEER);
    shmipc_free(siege->peer);
}

static void test_a_guest_survives_the_death_of_hosts(void **state) {
    struct siege siege = {.name = new_name()};
    shmipc_peer *last;
    (void)state;
    for (unsigned i = 0; i < scaled(100); i++)
        live_through_one_host(&siege, child_start(live_as_host, &siege));
    must(atomic_load(&siege.answered) > 0);
    /* What the last one left goes with the next one. */
    must_equal(count_regions(), 1);
    must_equal(shmipc_host_create(siege.name.text, NULL, &last), 0);
    shmipc_free(last);
    must_equal(count_regions(), 0);
}

HAZARD_MAIN("siege", hazard_test(test_a_host_survives_the_death_of_guests),
            hazard_test(test_a_guest_survives_the_death_of_hosts))
