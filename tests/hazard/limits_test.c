/* Too few descriptors, too little shared memory, limits and signals: an error at once, and nothing
   is left. */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- Descriptors ---- */

static int lowest_free_descriptor(void) {
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    must(lowest >= 0);
    must_equal(close(lowest), 0);
    return lowest;
}

static void allow_descriptors_below(int end) {
    struct rlimit limit;
    must_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)end;
    must_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

struct region_and_remains {
    struct region_name live;
    struct region_name dead;
};

/* 0, 1, 2 ... more descriptors than there are now: refused until it is enough. */
static int descriptors_needed(int (*join)(const char *name, shmipc_peer **peer), const char *name) {
    int lowest = lowest_free_descriptor();
    for (int more = 0;; more++) {
        shmipc_peer *peer;
        int mappings = count_mappings();
        allow_descriptors_below(lowest + more);
        int error = join(name, &peer);
        allow_descriptors_below(lowest + 100);
        must_equal(count_mappings(), error == SHMIPC_OK ? mappings + 1 : mappings);
        shmipc_free(peer);
        if (error == SHMIPC_OK)
            return more;
        must_equal(error, SHMIPC_E_NO_DESCRIPTORS);
        must(peer == NULL);
    }
}

static int create(const char *name, shmipc_peer **peer) {
    return shmipc_host_create(name, NULL, peer);
}

static int attach(const char *name, shmipc_peer **peer) {
    return shmipc_guest_attach(name, NULL, SECOND, peer);
}

static int try_with_few_descriptors(void *context) {
    const struct region_and_remains *names = context;
    must_equal(descriptors_needed(create, names->dead.text), 2);
    must_equal(descriptors_needed(create, names->dead.text), 2);
    must_equal(descriptors_needed(attach, names->live.text), 2);
    return 0;
}

static void leave_remains(const char *name) {
    char path[256];
    path_of(name, path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0);
    must_equal(close(fd), 0);
}

static void test_too_few_descriptors_are_an_error(void **state) {
    struct region_and_remains names = {new_name(), new_name()};
    shmipc_peer *host;
    (void)state;
    must_equal(shmipc_host_create(names.live.text, NULL, &host), 0);
    leave_remains(names.dead.text);
    must_equal(child_wait(child_start(try_with_few_descriptors, &names)), 0);
    shmipc_free(host);
}

/* ---- Shared memory ---- */

static shmipc_host_config config_of_size(uint32_t slots, uint32_t capacity) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.host_slots = slots;
    config.guest_slots = 0;
    config.request_capacity = capacity;
    config.response_capacity = capacity;
    return config;
}

static void expect_no_space(const char *name, const shmipc_host_config *config) {
    struct statvfs before;
    struct statvfs after;
    shmipc_peer *host;
    must_equal(statvfs("/dev/shm", &before), 0);
    must_equal(shmipc_host_create(name, config, &host), SHMIPC_E_NO_SPACE);
    must(host == NULL);
    must_equal(shmipc_last_os_error(), ENOSPC);
    must_equal(statvfs("/dev/shm", &after), 0);
    must_equal(after.f_files - after.f_ffree, before.f_files - before.f_ffree);
}

/* Larger than the whole file system, wherever this runs. */
static void test_a_region_larger_than_the_file_system_is_refused(void **state) {
    struct region_name name = new_name();
    struct statvfs status;
    (void)state;
    must_equal(statvfs("/dev/shm", &status), 0);
    uint64_t bytes = (uint64_t)status.f_blocks * status.f_frsize;
    uint64_t slots = bytes / SHMIPC_CAPACITY_MAX + 1;
    must(slots <= SHMIPC_SLOTS_MAX);
    shmipc_host_config config = config_of_size((uint32_t)slots, SHMIPC_CAPACITY_MAX);
    must_equal(shmipc_host_create(name.text, &config, &(shmipc_peer *){NULL}), SHMIPC_E_NO_SPACE);
    must_equal(count_regions(), 0);
}

/* In a small /dev/shm of its own. 77: not allowed here. */
enum { NOT_ALLOWED = 77 };

static void fill_file_system(void) {
    static const char block[4096];
    int fd = open("/dev/shm/filler", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        continue;
    must_equal(errno, ENOSPC);
    must_equal(close(fd), 0);
}

static void *serve(void *context) {
    (void)shmipc_serve(context, echo_handler, NULL);
    return NULL;
}

/* Every byte of the region is there although the file system is full now. */
static void use_every_byte(const char *name, shmipc_peer *host, uint32_t capacity) {
    static uint8_t question[1 << 16];
    static uint8_t answer[1 << 16];
    const shmipc_request request = {.data = question, .length = capacity};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    shmipc_slot slots[4];
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(name, NULL, SECOND, &guest), 0);
    pthread_t server = thread_start(serve, guest);
    for (uint32_t held = 0; held < 4; held++) { /* so that each slot has its turn */
        pattern_fill(question, capacity, held);
        must_equal(shmipc_call(host, &request, &response, 20 * SECOND), 0);
        must_equal(response.length, capacity);
        must(pattern_holds(answer, capacity, held));
        must_equal(shmipc_slot_claim(host, SECOND, &slots[held]), 0);
    }
    for (uint32_t held = 0; held < 4; held++)
        must_equal(shmipc_slot_release(slots[held]), 0);
    shmipc_free(host);
    thread_join(server);
    shmipc_free(guest);
}

static int live_on_little(void *context) {
    shmipc_host_config fits = config_of_size(4, 1 << 15);
    shmipc_host_config too_large = config_of_size(40, 1 << 15);
    shmipc_peer *host;
    (void)context;
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return NOT_ALLOWED;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=1m") != 0)
        return NOT_ALLOWED;
    expect_no_space("little", &too_large);
    must_equal(shmipc_host_create("little", &fits, &host), 0);
    expect_no_space("another", &too_large);
    fill_file_system();
    expect_no_space("another", &fits);
    use_every_byte("little", host, 1 << 15);
    return 0;
}

static void test_a_full_file_system_is_an_error_at_creation_and_no_fault_later(void **state) {
    (void)state;
    int result = child_wait(child_start(live_on_little, NULL));
    if (result == NOT_ALLOWED) {
        print_message("             not tried: no mount namespaces for this user here\n");
        skip();
    }
    must_equal(result, 0);
}

/* ---- Limits of the process ---- */

/* A macro, since C libraries differ in the type of `resource`. */
#define limit(resource, most)                                                                      \
    do {                                                                                           \
        struct rlimit limits;                                                                      \
        must_equal(getrlimit(resource, &limits), 0);                                               \
        limits.rlim_cur = (most);                                                                  \
        must_equal(setrlimit(resource, &limits), 0);                                               \
    } while (0)

/* The names of both kinds of region go through the same limit; 1 MiB is too much, 64 KiB is not. */
static int create_under_a_limit_of_files(void *context) {
    const char *name = context;
    shmipc_host_config large = config_of_size(16, 1 << 15);
    shmipc_host_config small = config_of_size(1, 1 << 14);
    shmipc_peer *host;
    limit(RLIMIT_FSIZE, 1 << 17);
    for (uint32_t lazy = 0; lazy <= SHMIPC_LAZY; lazy += SHMIPC_LAZY) {
        large.flags = lazy;
        must_equal(shmipc_host_create(name, &large, &host), SHMIPC_E_NO_SPACE);
        must(strstr(shmipc_last_error(), "131072") != NULL);
        must_equal(shmipc_last_os_error(), EFBIG);
    }
    must_equal(shmipc_host_create(name, &small, &host), 0);
    shmipc_free(host);
    return 0;
}

static void test_a_limit_of_file_sizes_is_an_error_and_no_signal(void **state) {
    struct region_name name = new_name();
    (void)state;
    must_equal(child_wait(child_start(create_under_a_limit_of_files, name.text)), 0);
}

static int create_without_address_space(void *context) {
    const char *name = context;
    shmipc_host_config large = config_of_size(256, 1 << 20);
    shmipc_peer *host;
    large.flags = SHMIPC_LAZY;
    limit(RLIMIT_AS, 256 << 20);
    must_equal(shmipc_host_create(name, &large, &host), SHMIPC_E_NO_MEMORY);
    must_equal(shmipc_last_os_error(), ENOMEM);
    return 0;
}

/* The sanitizers map more than any limit. */
static void test_a_limit_of_address_space_is_an_error(void **state) {
    struct region_name name = new_name();
    (void)state;
    if (ADDRESS_SANITIZED)
        skip();
    must_equal(child_wait(child_start(create_without_address_space, name.text)), 0);
}

/* ---- Signals ---- */

static volatile sig_atomic_t signals;
static bool old_tmpfs;

static void count_signal(int number) {
    (void)number;
    signals++;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_fallocate(int fd, int mode, off_t from, off_t size);
int __wrap_fallocate(int fd, int mode, off_t from, off_t size);

/* As tmpfs before Linux 6.11: a call during which a handler ran has reserved nothing. */
int __wrap_fallocate(int fd, int mode, off_t from, off_t size) {
    sig_atomic_t before = signals;
    int result = __real_fallocate(fd, mode, from, size);
    if (!old_tmpfs || result != 0)
        return result;
    uint64_t end = now_ns() + 20000000; /* a signal comes within this time */
    while (now_ns() < end && signals == before)
        continue;
    if (signals == before)
        return 0;
    must_equal(ftruncate(fd, from), 0);
    errno = EINTR;
    return -1;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static int create_under_signals(void *context) {
    const char *name = context;
    const shmipc_host_config config = config_of_size(16, 1 << 19);
    const struct itimerval often = {{0, 10000}, {0, 10000}};
    struct sigaction action = {.sa_handler = count_signal};
    shmipc_peer *host;
    old_tmpfs = true;
    must_equal(sigaction(SIGALRM, &action, NULL), 0);
    must_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    must_equal(shmipc_host_create(name, &config, &host), 0);
    must(signals > 1); /* they were not kept back for all that time */
    shmipc_free(host);
    return 0;
}

static void test_signals_do_not_keep_a_region_from_being_created(void **state) {
    struct region_name name = new_name();
    (void)state;
    must_equal(child_wait(child_start(create_under_signals, name.text)), 0);
}

HAZARD_MAIN("limits", hazard_test(test_too_few_descriptors_are_an_error),
            hazard_test(test_a_region_larger_than_the_file_system_is_refused),
            hazard_test(test_a_full_file_system_is_an_error_at_creation_and_no_fault_later),
            hazard_test(test_a_limit_of_file_sizes_is_an_error_and_no_signal),
            hazard_test(test_a_limit_of_address_space_is_an_error),
            hazard_test(test_signals_do_not_keep_a_region_from_being_created))
