/* Threads that are cancelled, or interrupted by a signal handler that forks, inside the library. */
#define _GNU_SOURCE
#include "hazard/waits.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int do_nothing(void *context) {
    (void)context;
    return 0;
}

/* A fork waits for the thread that holds the library's mutex. */
static void everybody_else_goes_on(void) {
    struct pair pair;
    must_equal(child_wait(child_start(do_nothing, NULL)), 0);
    pair_open(&pair, NULL);
    pair_close(&pair);
}

/* ---- A thread that is cancelled while it waits ---- */

/* One call that waits: what it needs, what is called, and what ends it then. */
struct wait {
    const char *what;
    void (*prepare)(struct stage *stage);
    int (*call)(struct stage *stage);
    void (*end)(struct stage *stage);
    int expected;
    bool leaves; /* no slot is there to be counted afterwards */
};

static int attach_forever(struct stage *s) {
    shmipc_guest_config config = test_guest_config();
    shmipc_peer *peer;
    config.stop = &s->token;
    return shmipc_guest_attach(s->nobodys.text, &config, SHMIPC_FOREVER, &peer);
}

static void stop(struct stage *s) {
    shmipc_stop(&s->token);
}

static void attach_second(struct stage *s) {
    shmipc_guest_config config = test_guest_config();
    must_equal(shmipc_guest_attach(s->pair.name.text, &config, 0, &s->second), SHMIPC_OK);
}

static void release_one(struct stage *s) {
    must_equal(shmipc_slot_release(s->slots[0]), SHMIPC_OK);
}

static void release_all(struct stage *s) {
    release_one(s);
    must_equal(shmipc_slot_release(s->slots[1]), SHMIPC_OK);
}

static void serve_it(struct stage *s) {
    server_start(&s->server, s->pair.guest, echo_handler, NULL);
}

static void wake(struct stage *s) {
    must_equal(shmipc_wake(s->pair.guest), SHMIPC_OK);
}

static int shut_down(struct stage *s) {
    return shmipc_shutdown(s->pair.host, SHMIPC_FOREVER);
}

static void keep_a_handler(struct stage *s) {
    server_start(&s->server, s->pair.guest, gated_handler, &s->gated);
    call_start(&s->call, s->pair.host, SHMIPC_FOREVER);
    gate_await(&s->gated.entered, 1);
}

static int close_guest(struct stage *s) {
    return shmipc_close(s->pair.guest);
}

static void let_handler_go(struct stage *s) {
    gate_pass(&s->gated.leave);
    (void)call_join(&s->call);
}

static const struct wait waits[] = {
    {"attach", prepare_nothing, attach_forever, stop, SHMIPC_E_CANCELLED, false},
    {"wait_guests", prepare_nothing, wait_for_guests, attach_second, SHMIPC_OK, false},
    {"next_event", hear_of_all, wait_for_event, attach_second, SHMIPC_OK, false},
    {"claim", hold_all, claim_and_release, release_all, SHMIPC_OK, false},
    {"call", prepare_nothing, make_call, serve_it, SHMIPC_OK, false},
    {"ping", prepare_nothing, ping_the_guest, serve_it, SHMIPC_OK, false},
    {"slot_call", hold_one, call_in_slot, serve_it, SHMIPC_OK, false},
    {"slot_receive", send_one, receive_one, serve_it, SHMIPC_OK, false},
    {"slot_wait_any", send_one, collect_one, serve_it, SHMIPC_OK, false},
    {"serve", prepare_nothing, serve_the_host, wake, SHMIPC_E_WOKEN, false},
    {"wait", prepare_nothing, wait_for_request, wake, SHMIPC_E_WOKEN, false},
    {"shutdown", hold_one, shut_down, release_one, SHMIPC_OK, true},
    {"close", keep_a_handler, close_guest, let_handler_go, SHMIPC_OK, true},
};

struct victim {
    const struct wait *wait;
    struct stage *stage;
    atomic_int id; /* of the thread */
    atomic_bool returned;
};

static void *wait_and_be_cancelled(void *context) {
    struct victim *victim = context;
    atomic_store(&victim->id, gettid());
    must_equal(victim->wait->call(victim->stage), victim->wait->expected);
    atomic_store(&victim->returned, true);
    pthread_testcancel();
    fixture_die(__FILE__, __LINE__, "the cancellation was lost");
}

static void close_stage(struct stage *s, const struct wait *wait) {
    (void)shmipc_slot_release(s->slots[0]);
    if (!wait->leaves) {
        whole_pool_can_be_claimed(s->pair.host);
        whole_pool_can_be_claimed(s->pair.guest);
    }
    if (s->server.peer != NULL)
        (void)(wait->leaves ? server_join(&s->server) : server_stop(&s->server));
    shmipc_free(s->second);
    shmipc_free(s->pair.guest);
    shmipc_free(s->pair.host);
}

static void cancel_while_it_waits(const struct wait *wait) {
    static struct stage stage;
    struct victim victim = {.wait = wait, .stage = &stage};
    void *result;
    open_stage(&stage, wait->prepare);
    pthread_t thread = thread_start(wait_and_be_cancelled, &victim);
    eventually(thread_is_asleep(atomic_load(&victim.id)));
    must_equal(pthread_cancel(thread), 0);
    everybody_else_goes_on();
    must(!atomic_load(&victim.returned));
    wait->end(&stage);
    must_equal(pthread_join(thread, &result), 0);
    must(result == PTHREAD_CANCELED && atomic_load(&victim.returned));
    close_stage(&stage, wait);
    everybody_else_goes_on();
}

static void test_no_wait_ends_by_a_cancellation_and_none_loses_a_slot(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        print_message("             %s\n", waits[i].what);
        int descriptors = count_descriptors();
        for (unsigned n = 0; n < scaled(5); n++)
            cancel_while_it_waits(&waits[i]);
        assert_int_equal(count_descriptors(), descriptors);
    }
}

/* ---- A thread that is to be cancelled at the next cancellation point ---- */

/* Everything in here is done by a thread whose cancellation waits for such a point. */
struct doomed {
    void (*body)(struct doomed *doomed);
    struct pair pair;
    struct region_name killed[2]; /* of dead hosts */
    atomic_uint lines;            /* of the log */
    atomic_uint dead;             /* regions that were listed */
    atomic_bool over;
};

static void log_at_such_a_point(void *context, shmipc_log_level level, const char *text) {
    struct doomed *d = context;
    (void)level;
    (void)text;
    pthread_testcancel();
    atomic_fetch_add(&d->lines, 1);
}

static void *allocate_at_such_a_point(void *context, size_t length) {
    (void)length;
    pthread_testcancel();
    return context;
}

static bool can_be_cancelled(void) {
    int before;
    must_equal(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before), 0);
    return before == PTHREAD_CANCEL_ENABLE;
}

/* No variable lies on its stack: the address sanitizer does not see that it is left. */
static void *meet_its_end(void *context) {
    struct doomed *d = context;
    must_equal(pthread_cancel(pthread_self()), 0);
    d->body(d);
    must(can_be_cancelled());
    atomic_store(&d->over, true);
    pthread_testcancel();
    fixture_die(__FILE__, __LINE__, "the cancellation was lost");
}

static void run_doomed(struct doomed *d) {
    void *result;
    pthread_t thread = thread_start(meet_its_end, d);
    must_equal(pthread_join(thread, &result), 0);
    everybody_else_goes_on();
    must(result == PTHREAD_CANCELED && atomic_load(&d->over));
}

static void open_both(struct doomed *d) {
    shmipc_host_config host = test_host_config();
    shmipc_guest_config guest = test_guest_config();
    host.log = guest.log = log_at_such_a_point;
    host.log_context = guest.log_context = d;
    must_equal(shmipc_host_create(d->pair.name.text, &host, &d->pair.host), SHMIPC_OK);
    must_equal(shmipc_guest_attach(d->pair.name.text, &guest, 0, &d->pair.guest), SHMIPC_OK);
}

static void exchange(const struct pair *pair) {
    shmipc_slot slot;
    shmipc_response response;
    size_t which = 0;
    must_equal(shmipc_slot_claim(pair->host, 0, &slot), SHMIPC_OK);
    must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    must_equal(shmipc_wait(pair->guest, SHMIPC_FOREVER), SHMIPC_OK);
    must_equal(shmipc_poll(pair->guest, echo_handler, NULL), 1);
    must_equal(shmipc_slot_wait_any(&slot, 1, SHMIPC_FOREVER, &which), SHMIPC_OK);
    must_equal(shmipc_slot_receive(slot, SHMIPC_FOREVER, &response), SHMIPC_OK);
    must_equal(shmipc_slot_release(slot), SHMIPC_OK);
    must_equal(shmipc_wait(pair->guest, MILLISECOND), SHMIPC_E_TIMEOUT);
    must_equal(shmipc_wake(pair->guest), SHMIPC_OK);
    must_equal(shmipc_serve(pair->guest, echo_handler, NULL), SHMIPC_E_WOKEN);
}

/* The answer signals the descriptor, and arming clears it. */
static void exchange_in_a_loop(const struct pair *pair) {
    shmipc_fd fd;
    shmipc_slot slot;
    shmipc_response response;
    must_equal(shmipc_get_fd(pair->host, &fd), SHMIPC_OK);
    must_equal(shmipc_slot_claim(pair->host, 0, &slot), SHMIPC_OK);
    must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    must_equal(shmipc_arm(pair->host, 0, &slot, 1), 0);
    must_equal(shmipc_poll(pair->guest, echo_handler, NULL), 1);
    must_equal(shmipc_arm(pair->host, 0, &slot, 1), 1);
    must_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_OK);
    must_equal(shmipc_arm(pair->host, 0, &slot, 1), 0);
    must_equal(shmipc_disarm(pair->host), SHMIPC_OK);
    must_equal(shmipc_slot_release(slot), SHMIPC_OK);
}

static void find_its_host(const struct pair *pair) {
    char name[SHMIPC_NAME_MAX + 1];
    shmipc_finder *finder;
    shmipc_fd fd;
    must_equal(shmipc_finder_create(pair->name.text, &finder), SHMIPC_OK);
    must_equal(shmipc_finder_get_fd(finder, &fd), SHMIPC_OK);
    must_equal(shmipc_finder_next(finder, name, sizeof name), 1);
    must_equal(shmipc_finder_next(finder, name, sizeof name), 0);
    shmipc_finder_free(finder);
}

static void count_at_such_a_point(void *context, const char *name) {
    atomic_uint *count = context;
    (void)name;
    pthread_testcancel();
    atomic_fetch_add(count, 1);
}

static void clear_up(struct doomed *d) {
    char prefix[48];
    name_prefix(prefix);
    must_equal(shmipc_dead_regions(prefix, count_at_such_a_point, &d->dead), 2);
    must_equal(atomic_load(&d->dead), 2);
    must_equal(shmipc_remove_dead_region(d->killed[0].text), SHMIPC_OK);
    must_equal(shmipc_remove_dead_region(d->killed[0].text), SHMIPC_E_NOT_FOUND);
    must_equal(shmipc_remove_dead_regions(prefix), 1);
}

static void live_a_whole_life(struct doomed *d) {
    clear_up(d);
    open_both(d);
    find_its_host(&d->pair);
    exchange(&d->pair);
    exchange_in_a_loop(&d->pair);
    must_equal(shmipc_close(d->pair.guest), SHMIPC_OK);
    shmipc_free(d->pair.guest);
    must_equal(shmipc_shutdown(d->pair.host, SHMIPC_FOREVER), SHMIPC_OK);
    shmipc_free(d->pair.host);
}

static int leave_region(void *context) {
    const struct region_name *name = context;
    const shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    must_equal(shmipc_host_create(name->text, &config, &host), SHMIPC_OK);
    return 0;
}

static void test_no_function_is_a_cancellation_point(void **state) {
    (void)state;
    int descriptors = count_descriptors();
    struct doomed d = {.body = live_a_whole_life, .pair.name = new_name()};
    for (int i = 0; i < 2; i++) {
        d.killed[i] = new_name();
        assert_int_equal(child_wait(child_start(leave_region, &d.killed[i])), 0);
    }
    run_doomed(&d);
    assert_true(atomic_load(&d.lines) >= 4); /* both came and went */
    assert_int_equal(count_descriptors(), descriptors);
}

static void call_with_an_allocation(struct doomed *d) {
    static char room[300];
    const shmipc_request request = {.data = "0123456789", .length = 10};
    shmipc_response response = {.allocate = allocate_at_such_a_point, .allocate_context = room};
    must_equal(shmipc_call(d->pair.host, &request, &response, SHMIPC_FOREVER), SHMIPC_OK);
    must_equal(response.length, request.length);
}

static void test_the_users_allocation_is_no_cancellation_point(void **state) {
    (void)state;
    struct doomed d = {.body = call_with_an_allocation};
    struct server server;
    pair_open(&d.pair, NULL);
    server_start(&server, d.pair.guest, echo_handler, NULL);
    run_doomed(&d);
    whole_pool_can_be_claimed(d.pair.host);
    server_stop(&server);
    pair_close(&d.pair);
}

/* ---- A signal handler that forks ---- */

static atomic_uint forks;

static void fork_here(void) {
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    atomic_fetch_add(&forks, 1);
}

static void set_timer(void) {
    const struct itimerval soon = {.it_value.tv_usec = 1 + (suseconds_t)draw(300)};
    must_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
}

static void fork_and_set_timer(int number) {
    const int before = errno;
    (void)number;
    fork_here();
    set_timer();
    errno = before;
}

static int come_and_go_under_signals(void *context) {
    const unsigned *rounds = context;
    struct sigaction action = {.sa_handler = fork_and_set_timer, .sa_flags = SA_RESTART};
    must_equal(sigaction(SIGALRM, &action, NULL), 0);
    set_timer();
    for (unsigned i = 0; i < *rounds; i++) {
        struct pair pair;
        pair_open(&pair, NULL);
        exchange(&pair);
        must_equal(shmipc_close(pair.guest), SHMIPC_OK);
        pair_close(&pair);
    }
    must_equal(signal(SIGALRM, SIG_IGN) == SIG_ERR, false);
    print_message("             %u forks\n", atomic_load(&forks));
    return atomic_load(&forks) >= *rounds / 4 ? 0 : 1;
}

/* A fork locks the address sanitizer's allocator, which the interrupted thread may already hold. */
static void test_a_signal_handler_may_fork_at_any_moment(void **state) {
    (void)state;
    if (ADDRESS_SANITIZED)
        skip();
    unsigned rounds = scaled(1000);
    assert_int_equal(child_wait(child_start(come_and_go_under_signals, &rounds)), 0);
}

static void fork_at_once(int number) {
    (void)number;
    fork_here();
}

static bool signal_while_installing;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));

/* The system's list of such hooks is locked in here. */
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    if (signal_while_installing) {
        must_equal(raise(SIGUSR1), 0);
        must_equal(atomic_load(&forks), 0);
    }
    return __real_pthread_atfork(prepare, parent, child);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static int create_first_of_all(void *context) {
    struct sigaction action = {.sa_handler = fork_at_once};
    struct pair pair;
    (void)context;
    signal_while_installing = true;
    must_equal(sigaction(SIGUSR1, &action, NULL), 0);
    pair_open(&pair, NULL);
    pair_close(&pair);
    return (int)atomic_load(&forks) - 1;
}

static void test_no_signal_handler_forks_while_the_fork_hook_is_installed(void **state) {
    (void)state;
    assert_int_equal(child_wait(child_start(create_first_of_all, NULL)), 0);
}

/* The first two before a thread is started: once there were several, the C library's own fork waits
   for its allocator, in which the signal may have come. */
HAZARD_MAIN("cancel", hazard_test(test_no_signal_handler_forks_while_the_fork_hook_is_installed),
            hazard_test(test_a_signal_handler_may_fork_at_any_moment),
            hazard_test(test_no_wait_ends_by_a_cancellation_and_none_loses_a_slot),
            hazard_test(test_no_function_is_a_cancellation_point),
            hazard_test(test_the_users_allocation_is_no_cancellation_point))
