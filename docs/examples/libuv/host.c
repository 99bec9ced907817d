/* A host in a libuv loop: it makes calls, several in flight, and serves those of the guest, in one
   thread that waits in the loop alone. */
#include <inttypes.h>
#include <shmipc/shmipc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

enum { CALLS = 8, TICK_MS = 20, ROUNDS = 4, FACTOR = 3, LEAVE_MS = 1000 };

static uv_loop_t loop;
static uv_poll_t readable;
static uv_timer_t timer;
static uv_signal_t interrupt;

static shmipc_peer *host;
static shmipc_slot slots[CALLS]; /* zero: not in use */
static uint64_t numbers[CALLS];  /* that were sent in them */
static unsigned sent_at[CALLS];  /* at which tick */
static uint64_t last_number;
static unsigned ticks, answered, late, wrong, failed, asked;
static int broken; /* what ended the loop, if not an interrupt */

static void take_answer(int i) {
    shmipc_response response;
    uint64_t product = 0;
    if (shmipc_slot_receive(slots[i], 0, &response)) {
        failed++; /* the guest died while its handler ran; or the handler failed */
    } else {
        if (response.length == sizeof product)
            memcpy(&product, response.data, sizeof product);
        wrong += product != numbers[i] * FACTOR;
        late += sent_at[i] != ticks;
        if (++answered % 100 == 0)
            printf("%u answers\n", answered);
    }
    shmipc_slot_release(
        slots[i]); /* STALE, and harmless, if the call has ended without an answer */
    slots[i] = (shmipc_slot){0};
}

static void take_answers(void) {
    for (int i = 0; i < CALLS; i++) {
        if (shmipc_slot_ready(slots[i]) == 1)
            take_answer(i);
    }
}

/* The guest asks for the factor, while the host waits for its product. */
static int answer(void *context, const shmipc_request *request, shmipc_response *response) {
    const uint64_t factor = FACTOR;
    (void)context;
    if (request->length != 0)
        return shmipc_fail(response, "a question of %zu bytes", request->length);
    memcpy(response->data, &factor, sizeof factor);
    response->length = sizeof factor;
    asked++;
    return 0;
}

static void take_events(void) {
    static const char *const happened[] = {[SHMIPC_EVENT_ATTACHED] = "is there",
                                           [SHMIPC_EVENT_LEFT] = "has left",
                                           [SHMIPC_EVENT_DIED] = "has died"};
    shmipc_event event;
    while (shmipc_next_event(host, 0, &event) == SHMIPC_OK)
        printf("guest %" PRIu32 " %s\n", event.peer, happened[event.kind]);
}

/* Takes what is there, and arms the descriptor for what is not. If more has come meanwhile it looks
   again; but not for ever, for the loop has more to do: then the descriptor is readable, and the
   loop comes back. */
static void look(void) {
    int there = 1;
    for (int round = 0; there == 1 && round < ROUNDS; round++) {
        there = shmipc_poll(host, answer, NULL);
        if (there < 0) /* the region's name was removed: a descriptor would be readable for ever */
            break;
        take_events();
        take_answers();
        there = shmipc_arm(host, SHMIPC_ARM_REQUESTS | SHMIPC_ARM_EVENTS, slots, CALLS);
    }
    if (there < 0) {
        fprintf(stderr, "%s\n", shmipc_last_error());
        broken = there;
        uv_stop(&loop);
    }
}

static void on_readable(uv_poll_t *handle, int status, int events) {
    (void)handle, (void)status, (void)events;
    look();
}

/* Nothing here waits. The call waits for a guest, if none is there. */
static void send_number(int i) {
    if (shmipc_slot_claim(host, 0, &slots[i]))
        return;
    numbers[i] = ++last_number;
    sent_at[i] = ticks;
    memcpy(shmipc_slot_buffer(slots[i], NULL), &numbers[i], sizeof numbers[i]);
    if (shmipc_slot_send(slots[i], SHMIPC_TYPE_NORMAL, sizeof numbers[i], SHMIPC_WAIT_READY)) {
        shmipc_slot_release(slots[i]);
        slots[i] = (shmipc_slot){0};
    }
}

/* A call for each slot that is free. */
static void on_tick(uv_timer_t *handle) {
    (void)handle;
    ticks++;
    for (int i = 0; i < CALLS; i++) {
        if (slots[i].peer == NULL)
            send_number(i);
    }
    look();
}

static void on_interrupt(uv_signal_t *handle, int number) {
    (void)handle, (void)number;
    uv_stop(&loop);
}

static int start(void) {
    shmipc_fd fd;
    int error = shmipc_get_fd(host, &fd);
    if (error) {
        fprintf(stderr, "%s\n", shmipc_last_error());
        return error;
    }
    uv_loop_init(&loop);
    uv_poll_init(&loop, &readable, fd);
    uv_poll_start(&readable, UV_READABLE, on_readable);
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_tick, 0, TICK_MS);
    uv_signal_init(&loop, &interrupt);
    uv_signal_start(&interrupt, on_interrupt, SIGINT);
    printf("press Ctrl-C to end\n");
    return 0;
}

/* The loop lets go of the descriptor before the peer is freed. Calls under way are given up: nobody
   would take their answers, or answer what their handlers ask. */
static void end(void) {
    uv_close((uv_handle_t *)&readable, NULL);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_close((uv_handle_t *)&interrupt, NULL);
    uv_run(&loop, UV_RUN_DEFAULT); /* until they are closed */
    uv_loop_close(&loop);
    for (int i = 0; i < CALLS; i++)
        shmipc_slot_release(slots[i]);
    shmipc_shutdown(host, LEAVE_MS * INT64_C(1000000));
}

int main(int argc, char **argv) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.host_slots = CALLS;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int error = shmipc_host_create(argc > 1 ? argv[1] : "libuv", &config, &host);
    if (error) {
        fprintf(stderr, "%s\n", shmipc_last_error());
        return 1;
    }
    error = start();
    if (!error) {
        uv_run(&loop, UV_RUN_DEFAULT);
        end();
        error = broken;
    }
    if (!error)
        printf("interrupted: %u calls answered, %u of them late, %u failed, %u wrong; %u served\n",
               answered, late, failed, wrong, asked);
    shmipc_free(host);
    return error ? 1 : 0;
}
