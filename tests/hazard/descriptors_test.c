/* Answers through a descriptor that other code closed and used again do not count. */
#define _GNU_SOURCE
#include "hazard/descriptors.h"
#include "hazard/peers.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DESCRIPTORS = 256 };

static bool means_region(int fd, const char *name) {
    char link[64];
    char target[256] = "";
    char path[256];
    path_of(name, path);
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, target, sizeof target - 1) > 0 &&
           strncmp(target, path, strlen(path)) == 0;
}

/* The files that other code opened under the numbers of the descriptors. One opening of each has
   every byte locked. */
struct usurped {
    int fds[4];
    int count;
    int locker; /* the opening with the locks; -1: the `fds` have them themselves */
};

static int open_once_more(int fd) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int other = open(path, O_RDWR | O_CLOEXEC);
    must(other >= 0);
    return other;
}

static void lock_every_byte(int fd) {
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    must_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
}

static void put_a_file_over(int fd) {
    FILE *file = tmpfile();
    must(file != NULL);
    must_equal(dup3(fileno(file), fd, O_CLOEXEC), fd);
    (void)fclose(file);
}

/* Closes the region's descriptor, and opens a file of our own in its place. If `locked`, another
   opening of that file has every lock, as the peers of another region may have. */
static struct usurped usurp_descriptors(const char *name, bool locked) {
    struct usurped usurped = {.locker = -1};
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (is_open(fd) && means_region(fd, name)) {
            put_a_file_over(fd);
            usurped.fds[usurped.count++] = fd;
        }
    }
    must_equal(usurped.count, 1);
    if (locked)
        usurped.locker = open_once_more(usurped.fds[0]);
    lock_every_byte(locked ? usurped.locker : usurped.fds[0]);
    return usurped;
}

static void expect_every_byte_locked(int fd) {
    int other = open_once_more(fd);
    for (int peer = 0; peer <= 16; peer++) {
        struct flock lock = {.l_type = F_WRLCK,
                             .l_whence = SEEK_SET,
                             .l_start = (off_t)(INT64_C(1) << 62) + peer,
                             .l_len = 1};
        must_equal(fcntl(other, F_OFD_GETLK, &lock), 0);
        must_equal(lock.l_type, F_WRLCK);
    }
    must_equal(close(other), 0);
}

/* The files are still open, have their own locks and no others, and hold no byte that was written.
   */
static void expect_untouched(const struct usurped *usurped) {
    for (int i = 0; i < usurped->count; i++) {
        int fd = usurped->fds[i];
        struct stat status;
        must_equal(fstat(fd, &status), 0);
        must_equal(status.st_size, 0);
        expect_every_byte_locked(fd);
        if (usurped->locker >= 0)
            must_equal(close(usurped->locker), 0);
        lock_every_byte(fd);
        must_equal(close(fd), 0);
    }
}

static void hear(void *context, shmipc_log_level level, const char *text) {
    if (level == SHMIPC_LOG_WARN && strstr(text, "descriptor") != NULL)
        atomic_fetch_add((atomic_int *)context, 1);
}

struct usurpation {
    struct scene scene;
    struct gated *gated;
    atomic_int warnings;
    struct usurped usurped;
    shmipc_slot slot; /* whose request a handler of the other process runs */
};

/* One handler of the other side is running when the caller's descriptors are lost. */
static void usurp(struct usurpation *u, bool host_calls) {
    u->gated = shared_memory(sizeof *u->gated);
    atomic_store(&u->warnings, 0);
    u->scene = (struct scene){.host_calls = host_calls,
                              .workers = 2,
                              .handler = gated_handler,
                              .context = u->gated,
                              .config = test_host_config()};
    u->scene.config.log = hear;
    u->scene.config.log_context = &u->warnings;
    scene_open(&u->scene);
    must_equal(shmipc_slot_claim(u->scene.caller, SECOND, &u->slot), 0);
    must_equal(shmipc_slot_send(u->slot, 0, 0, 0), 0);
    gate_await(&u->gated->entered, 1);
}

/* Two ticks and more, in which the other side is looked after. */
static void wait_for_ticks(struct usurpation *u) {
    size_t which = 0;
    must_equal(shmipc_slot_wait_any(&u->slot, 1, 400 * MILLISECOND, &which), SHMIPC_E_TIMEOUT);
    must_equal(shmipc_slot_ready(u->slot), 0);
}

static void expect_answer(struct usurpation *u) {
    shmipc_response response;
    gate_pass(&u->gated->leave);
    must_equal(shmipc_slot_receive(u->slot, 20 * SECOND, &response), 0);
    must_equal(shmipc_slot_release(u->slot), 0);
}

static void end_usurpation(struct usurpation *u) {
    scene_close(&u->scene);
    expect_untouched(&u->usurped);
    shared_memory_free(u->gated, sizeof *u->gated);
}

static void keep_a_live_responder(bool host_calls) {
    struct usurpation u;
    usurp(&u, host_calls);
    u.usurped = usurp_descriptors(u.scene.name.text, false);
    wait_for_ticks(&u);
    expect_answer(&u);
    if (host_calls)
        must_equal(atomic_load(&u.warnings), 1);
    end_usurpation(&u);
}

static void test_a_peer_that_lost_its_descriptor_reaps_nobody_alive(void **state) {
    (void)state;
    keep_a_live_responder(true);
    keep_a_live_responder(false);
}

static void notice_a_death(bool host_calls, bool locked) {
    struct usurpation u;
    shmipc_response response;
    usurp(&u, host_calls);
    u.usurped = usurp_descriptors(u.scene.name.text, locked);
    child_kill(scene_responder(&u.scene, 0));
    scene_forget(&u.scene, 0);
    must_equal(shmipc_slot_receive(u.slot, 20 * SECOND, &response), SHMIPC_E_PEER_DIED);
    remove_planted(u.scene.name.text); /* what a dead host leaves */
    end_usurpation(&u);
}

static void test_a_peer_that_lost_its_descriptor_hears_of_deaths(void **state) {
    (void)state;
    for (int locked = 0; locked < 2; locked++) {
        notice_a_death(true, locked);
        notice_a_death(false, locked);
    }
}

/* The name cannot lead back to the file; and a peer that cannot find out whether others live takes
   them for alive, and logs that once. */
static void test_a_peer_that_cannot_look_takes_all_others_for_alive(void **state) {
    struct usurpation u;
    char path[256];
    (void)state;
    usurp(&u, true);
    u.usurped = usurp_descriptors(u.scene.name.text, false);
    path_of(u.scene.name.text, path);
    must_equal(unlink(path), 0);
    wait_for_ticks(&u);
    wait_for_ticks(&u);
    expect_answer(&u);
    must_equal(atomic_load(&u.warnings), 1);
    end_usurpation(&u);
}

static int look_at_descriptor(void *context) {
    return is_open(*(int *)context) ? 0 : 1;
}

/* No thread has looked at the name, or tested a lock, since the descriptor was lost. The same holds
   in a child. */
static void test_a_file_in_the_descriptors_place_is_not_closed(void **state) {
    struct region_name name = new_name();
    shmipc_peer *host;
    (void)state;
    must_equal(shmipc_host_create(name.text, NULL, &host), 0);
    struct usurped usurped = usurp_descriptors(name.text, false);
    must_equal(child_wait(child_start(look_at_descriptor, &usurped.fds[0])), 0);
    shmipc_free(host);
    expect_untouched(&usurped);
}

/* A creation or an attach that others disturb all the time may succeed or fail; it leaves nothing
   behind, and touches no file of theirs. */
struct disturbance {
    atomic_bool enough;
    char name[64];
};

static void *close_the_librarys_descriptors(void *context) {
    struct disturbance *disturbance = context;
    while (!atomic_load(&disturbance->enough)) {
        for (int fd = 3; fd < 16; fd++) {
            if (means_region(fd, disturbance->name)) {
                int other = open("/dev/null", O_RDWR | O_CLOEXEC);
                (void)dup3(other, fd, O_CLOEXEC);
                (void)close(other);
            }
        }
    }
    return NULL;
}

static int create_under_disturbance(void *context) {
    struct disturbance disturbance = {.enough = false};
    struct region_name name = new_name();
    (void)context;
    (void)snprintf(disturbance.name, sizeof disturbance.name, "%s", name.text);
    pthread_t closer = thread_start(close_the_librarys_descriptors, &disturbance);
    for (unsigned i = 0; i < scaled(200); i++) {
        shmipc_peer *host;
        shmipc_peer *guest = NULL;
        if (shmipc_host_create(name.text, NULL, &host) != SHMIPC_OK)
            continue;
        (void)shmipc_guest_attach(name.text, NULL, 0, &guest);
        shmipc_free(guest);
        shmipc_free(host);
    }
    atomic_store(&disturbance.enough, true);
    thread_join(closer);
    must_equal(count_mappings(), 0);
    must_equal(count_regions(), 0);
    return 0;
}

static void test_descriptors_closed_meanwhile_break_no_other_file(void **state) {
    (void)state;
    must_equal(child_wait(child_start(create_under_disturbance, NULL)), 0);
}

HAZARD_MAIN("descriptors", hazard_test(test_a_peer_that_lost_its_descriptor_reaps_nobody_alive),
            hazard_test(test_a_peer_that_lost_its_descriptor_hears_of_deaths),
            hazard_test(test_a_peer_that_cannot_look_takes_all_others_for_alive),
            hazard_test(test_a_file_in_the_descriptors_place_is_not_closed),
            hazard_test(test_descriptors_closed_meanwhile_break_no_other_file))
