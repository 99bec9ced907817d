/* What others do to an event loop's armed bits and to its FIFO. */
#define _GNU_SOURCE
#include "hazard/loops.h"

#include "peer/peer.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- What stands in the place of a FIFO ---- */

static void put_nothing(const char *path, const char *target) {
    (void)path;
    (void)target;
}

static void put_file(const char *path, const char *target) {
    (void)target;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(fd >= 0);
    must_equal(close(fd), 0);
}

static void put_symlink(const char *path, const char *target) {
    must_equal(symlink(target, path), 0);
}

static void put_link(const char *path, const char *target) {
    must_equal(link(target, path), 0);
}

static void put_directory(const char *path, const char *target) {
    (void)target;
    must_equal(mkdir(path, 0700), 0);
}

static void put_socket(const char *path, const char *target) {
    (void)target;
    must_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
}

static void (*const substitutes[])(const char *path, const char *target) = {
    put_nothing, put_file, put_symlink, put_link, put_directory, put_socket};
enum { SUBSTITUTES = sizeof substitutes / sizeof *substitutes };

/* Somebody else's file, or FIFO, to which a link leads. */
struct bystander {
    char path[128];
    int fd;
};

static void bystander_open(struct bystander *b, bool fifo) {
    (void)snprintf(b->path, sizeof b->path, "/dev/shm/%s", new_name().text);
    if (fifo)
        must_equal(mkfifo(b->path, 0600), 0);
    b->fd = open(b->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | (fifo ? 0 : O_CREAT), 0600);
    must(b->fd >= 0);
}

static void bystander_close(const struct bystander *b) {
    char byte;
    struct stat status;
    must_equal(fstat(b->fd, &status), 0);
    must_equal(status.st_size, 0);
    must(read(b->fd, &byte, 1) <= 0);
    must_equal(close(b->fd), 0);
    must_equal(unlink(b->path), 0);
}

static void remove_any(const char *path) {
    (void)unlink(path);
    (void)rmdir(path);
}

static bool is_still_empty(const char *path) {
    struct stat status;
    return lstat(path, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0;
}

/* No answer is lost, and what the loop itself finds makes it ready at once. */
static void live_with(struct stand *s, void (*put)(const char *path, const char *target),
                      const char *target) {
    must_equal(unlink(s->path), 0);
    put(s->path, target);
    stand_send(s);
    must_equal(loop_arm(&s->loop), 0);
    uint64_t begin = now_ns();
    stand_answer(s);
    must(loop_is_quiet(&s->loop));
    must(loop_is_ready(&s->loop, 10 * SECOND));
    must(now_ns() - begin < SOON);
    must(is_still_empty(s->path));
    stand_receive(s);

    stand_send(s);
    stand_answer(s);
    loop_without_ticks(&s->loop);
    must_equal(loop_arm(&s->loop), 1);
    must(loop_is_ready(&s->loop, 0));
    stand_receive(s);
    must_equal(loop_arm(&s->loop), 0);
    must(loop_is_quiet(&s->loop));
}

static void test_what_stands_in_a_fifos_place_is_not_written_to(void **state) {
    (void)state;
    for (int i = 0; i < SUBSTITUTES; i++) {
        for (int fifo = 0; fifo < 2; fifo++) {
            struct bystander b;
            struct stand s;
            bystander_open(&b, fifo);
            stand_open(&s);
            live_with(&s, substitutes[i], b.path);
            remove_any(s.path);
            stand_close(&s);
            bystander_close(&b);
        }
    }
}

/* What was there before the first loop. Only a directory cannot be removed. */
static void test_what_stood_in_a_fifos_place_before_is_replaced_or_refused(void **state) {
    (void)state;
    for (int i = 0; i < SUBSTITUTES; i++) {
        const shmipc_host_config config = loop_config();
        struct bystander b;
        struct stand s;
        shmipc_fd fd;
        bystander_open(&b, true);
        pair_open(&s.pair, &config);
        s.nonce = nonce_of(s.pair.host);
        fifo_path(s.nonce, 0, s.path);
        substitutes[i](s.path, b.path);
        int descriptors = count_descriptors();
        int result = shmipc_get_fd(s.pair.host, &fd);
        must_equal(result, substitutes[i] == put_directory ? SHMIPC_E_DENIED : SHMIPC_OK);
        must_equal(count_descriptors() - descriptors, result == SHMIPC_OK ? 3 : 0);
        if (result != SHMIPC_OK)
            must_equal(rmdir(s.path), 0);
        loop_open(&s.loop, s.pair.host, 0, false);
        loop_claim(&s.loop, 1);
        stand_send(&s);
        loop_without_ticks(&s.loop);
        must_equal(loop_arm(&s.loop), 0);
        stand_answer(&s);
        stand_receive(&s);
        stand_close(&s);
        bystander_close(&b);
    }
}

/* ---- What is done to the armed bits, and to the FIFO itself ---- */

/* As if it was killed between clearing the bit and writing the byte. */
static void test_a_tick_makes_up_for_a_notifier_that_died(void **state) {
    struct stand s;
    (void)state;
    stand_open(&s);
    loop_send(s.loop.slots[0]);
    must_equal(loop_arm(&s.loop), 0);
    and_seq_cst32(s.pair.host->calling.answers.armed, 0xffff);
    uint64_t begin = now_ns();
    stand_answer(&s);
    must(loop_is_quiet(&s.loop));
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
    must(loop_is_quiet(&s.loop));
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

HAZARD_MAIN("loop_meddling", hazard_test(test_what_stands_in_a_fifos_place_is_not_written_to),
            hazard_test(test_what_stood_in_a_fifos_place_before_is_replaced_or_refused),
            hazard_test(test_a_tick_makes_up_for_a_notifier_that_died),
            hazard_test(test_a_loop_does_not_read_a_fifo_for_ever),
            hazard_test(test_a_hostile_peer_delays_a_loop_but_ends_nothing))
