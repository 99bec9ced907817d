#define _GNU_SOURCE
#include "loop.h"

#include "support/child.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SLOTS = 16 };

struct loop {
    shmipc_peer *host;
    shmipc_slot slots[SLOTS];
    unsigned count;
    size_t bytes;
    char *there, *back;
    int epoll;
    uint64_t to_send, under_way;
    void (*await)(struct loop *l); /* has the loop woken when a call is over */

    /* Of the thread: */
    pthread_t thread;
    sem_t wanted; /* it is to wait for an answer, or to end */
    bool is_over;
    int answered; /* the eventfd */
};

static void send_one(struct loop *l, shmipc_slot slot) {
    memcpy(shmipc_slot_buffer(slot, NULL), l->there, l->bytes);
    check(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, l->bytes, 0));
    l->to_send--;
    l->under_way++;
}

static void receive_one(struct loop *l, shmipc_slot slot) {
    shmipc_response response;
    check(shmipc_slot_receive(slot, SHMIPC_TIMEOUT_DEFAULT, &response));
    memcpy(l->back, response.data, response.length);
    l->under_way--;
}

/* Takes the answers that are there, and sends as many requests. */
static void take_answers(struct loop *l) {
    for (unsigned i = 0; i < l->count; i++) {
        if (shmipc_slot_ready(l->slots[i]) != 1)
            continue;
        receive_one(l, l->slots[i]);
        if (l->to_send > 0)
            send_one(l, l->slots[i]);
    }
}

static void await_by_descriptor(struct loop *l) {
    for (int there; (there = shmipc_arm(l->host, 0, l->slots, l->count)) != 0;) {
        check(there < 0 ? there : 0);
        take_answers(l);
    }
}

/* Spins first, as long as the library would before it sleeps. */
static void await_after_spinning(struct loop *l) {
    size_t which = 0;
    while (l->under_way > 0 && shmipc_slot_wait_any(l->slots, l->count, 1, &which) == SHMIPC_OK)
        take_answers(l);
    await_by_descriptor(l);
}

static void await_by_thread(struct loop *l) {
    if (l->under_way > 0 && sem_post(&l->wanted) != 0)
        die("sem_post");
}

static void *wait_for_answers(void *loop) {
    struct loop *l = loop;
    const uint64_t one = 1;
    while (sem_wait(&l->wanted) == 0 && !l->is_over) {
        size_t which = 0;
        check(shmipc_slot_wait_any(l->slots, l->count, SHMIPC_FOREVER, &which));
        if (write(l->answered, &one, sizeof one) != sizeof one)
            die("eventfd");
    }
    return NULL;
}

/* `calls` is a multiple of the number in flight. */
static void run(void *self, uint64_t calls) {
    struct loop *l = self;
    l->to_send = calls;
    for (unsigned i = 0; i < l->count; i++)
        send_one(l, l->slots[i]);
    l->await(l);
    while (l->under_way > 0) {
        struct epoll_event event;
        uint64_t count;
        if (epoll_wait(l->epoll, &event, 1, -1) != 1)
            die("epoll_wait");
        if (l->answered >= 0 && read(l->answered, &count, sizeof count) != sizeof count)
            die("eventfd");
        take_answers(l);
        l->await(l);
    }
}

static void watch(const struct loop *l, int fd) {
    struct epoll_event wanted = {.events = EPOLLIN};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &wanted) != 0)
        die("epoll_ctl");
}

static void stop(void *self) {
    struct loop *l = self;
    for (unsigned i = 0; i < l->count; i++)
        check(shmipc_slot_release(l->slots[i]));
    close(l->epoll);
    free(l->there);
    free(l->back);
    free(l);
}

static void stop_thread(void *self) {
    struct loop *l = self;
    l->is_over = true;
    if (sem_post(&l->wanted) != 0 || pthread_join(l->thread, NULL) != 0)
        die("thread");
    sem_destroy(&l->wanted);
    close(l->answered);
    stop(self);
}

static struct loop *allocate(const struct pair *pair, size_t bytes, unsigned in_flight) {
    struct loop *l = calloc(1, sizeof *l);
    if (!l || in_flight > SLOTS)
        die("loop");
    *l = (struct loop){.host = pair->host,
                       .count = in_flight,
                       .bytes = bytes,
                       .there = calloc(1, bytes + 1),
                       .back = calloc(1, bytes + 1),
                       .epoll = epoll_create1(EPOLL_CLOEXEC),
                       .answered = -1};
    for (unsigned i = 0; i < in_flight; i++)
        check(shmipc_slot_claim(pair->host, SHMIPC_TIMEOUT_DEFAULT, &l->slots[i]));
    return l;
}

static struct subject subject_of(struct loop *l, const struct pair *pair, const char *variant) {
    return (struct subject){.label = {"loop", pair->guest, l->bytes, 1, l->count, variant},
                            .self = l,
                            .spins = true, /* the guest does, and the loop hardly sleeps */
                            .run_in_ns = pair_run_in(pair),
                            .unit = l->count,
                            .run = run,
                            .stop = stop};
}

static struct loop *with_descriptor(const struct pair *pair, size_t bytes, unsigned in_flight) {
    struct loop *l = allocate(pair, bytes, in_flight);
    shmipc_fd fd;
    check(shmipc_get_fd(pair->host, &fd));
    watch(l, fd);
    return l;
}

struct subject loop_start_descriptor(const struct pair *pair, size_t bytes, unsigned in_flight) {
    struct loop *l = with_descriptor(pair, bytes, in_flight);
    l->await = await_by_descriptor;
    return subject_of(l, pair, "descriptor");
}

struct subject loop_start_spinning(const struct pair *pair, size_t bytes, unsigned in_flight) {
    struct loop *l = with_descriptor(pair, bytes, in_flight);
    l->await = await_after_spinning;
    return subject_of(l, pair, "spin, then descriptor");
}

struct subject loop_start_thread(const struct pair *pair, size_t bytes, unsigned in_flight) {
    struct loop *l = allocate(pair, bytes, in_flight);
    l->answered = eventfd(0, EFD_CLOEXEC);
    watch(l, l->answered);
    l->await = await_by_thread;
    if (sem_init(&l->wanted, 0, 0) != 0 ||
        pthread_create(&l->thread, NULL, wait_for_answers, l) != 0)
        die("thread");
    struct subject subject = subject_of(l, pair, "thread and eventfd");
    subject.stop = stop_thread;
    return subject;
}
