#define _GNU_SOURCE
#include "support/fixture.h"

#include "peer/peer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct object_rules private_rules = {.mode = 0600, .owner = SHMIPC_OWNER_SELF};

static void path_of_new(char path[static 256], struct region_name *name) {
    *name = new_name();
    path_of(name->text, path);
}

static int attach(const char *name) {
    shmipc_peer *guest;
    int error = shmipc_guest_attach(name, NULL, 0, &guest);
    if (error == SHMIPC_OK)
        shmipc_free(guest);
    else
        assert_null(guest);
    return error;
}

static shmipc_peer *create(const char *name) {
    const shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    assert_int_equal(shmipc_host_create(name, &config, &host), SHMIPC_OK);
    return host;
}

/* A lock as another process would see it: by a descriptor of its own. */
static bool is_locked(int fd, uint32_t peer) {
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)(INT64_C(1) << 62) + (off_t)peer,
                         .l_len = 1};
    assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
    return lock.l_type != F_UNLCK;
}

static void host_lock_lies_where_the_protocol_says(void **state) {
    (void)state;
    struct pair pair;
    char path[256];
    pair_open(&pair, NULL);
    path_of(pair.name.text, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(is_locked(fd, 0));
    assert_true(is_locked(fd, 1));
    assert_false(is_locked(fd, 2));
    (void)close(fd);
    pair_close(&pair);
}

static void a_peers_own_lock_is_not_anothers(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(shmi_peer_is_locked(pair.host->region.object, i), i == 1);
        assert_int_equal(shmi_peer_is_locked(pair.guest->region.object, i), i == 0);
    }
    pair_close(&pair);
}

/* ---- Names ---- */

static void names_of_allowed_characters_are_taken(void **state) {
    (void)state;
    char longest[SHMIPC_NAME_MAX + 1];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(shmi_region_check_name("a"), SHMIPC_OK);
    assert_int_equal(shmi_region_check_name("."), SHMIPC_OK);
    assert_int_equal(shmi_region_check_name(".."), SHMIPC_OK);
    assert_int_equal(shmi_region_check_name("AZaz09_.-"), SHMIPC_OK);
    assert_int_equal(shmi_region_check_name(longest), SHMIPC_OK);
}

static void names_of_other_characters_are_refused(void **state) {
    (void)state;
    for (int c = 1; c < 256; c++) {
        char name[] = {'a', (char)c, 'b', 0};
        bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-';
        assert_int_equal(shmi_region_check_name(name), allowed ? SHMIPC_OK : SHMIPC_E_NAME);
    }
}

static void empty_and_overlong_names_are_refused(void **state) {
    (void)state;
    char name[SHMIPC_NAME_MAX + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(shmi_region_check_name(name), SHMIPC_E_NAME);
    assert_int_equal(shmi_region_check_name(""), SHMIPC_E_NAME);
    assert_int_equal(shmi_region_check_name(NULL), SHMIPC_E_INVALID);
}

static void create_and_attach_check_the_name(void **state) {
    (void)state;
    shmipc_peer *peer;
    assert_int_equal(shmipc_host_create("../x", NULL, &peer), SHMIPC_E_NAME);
    assert_null(peer);
    assert_int_equal(shmipc_guest_attach("../x", NULL, 0, &peer), SHMIPC_E_NAME);
    assert_null(peer);
}

/* ---- Creating ---- */

static void a_new_region_is_as_the_layout_says(void **state) {
    (void)state;
    struct geometry settings = {
        .host_slots = 3, .guest_slots = 2, .request_capacity = 100, .response_capacity = 200};
    struct region_name name = new_name();
    struct region r;
    assert_true(shmi_geometry_compute(&settings));
    assert_int_equal(shmi_region_create(&r, name.text, &settings, &private_rules), SHMIPC_OK);
    struct geometry read;
    struct header copy;
    assert_int_equal(shmi_object_read(r.object, &copy, sizeof copy), SHMIPC_OK);
    assert_int_equal(shmi_header_read(&copy, &read), HEADER_GOOD);
    assert_int_equal(load_relaxed32(&r.shared->peers[HOST].epoch), 1);
    assert_int_equal(load_relaxed32(&r.shared->peers[HOST].status), PEER_ATTACHED);
    assert_int_equal(load_relaxed32(&r.shared->peers[HOST].pid), getpid());
    struct stat namespace;
    assert_int_equal(stat("/proc/self/ns/pid", &namespace), 0);
    assert_int_equal(load_relaxed64(&r.shared->peers[HOST].origin), namespace.st_ino);
    assert_ptr_equal(region_slot(&r, 4), (char *)r.shared + 1536 + 4 * (size_t)read.slot_stride);
    (void)shmi_object_unpublish(r.object);
    shmi_region_close(&r);
}

static void everything_but_header_and_host_line_is_zero(void **state) {
    (void)state;
    struct geometry settings = {
        .host_slots = 1, .guest_slots = 1, .request_capacity = 100, .response_capacity = 200};
    struct region_name name = new_name();
    struct region r;
    assert_true(shmi_geometry_compute(&settings));
    assert_int_equal(shmi_region_create(&r, name.text, &settings, &private_rules), SHMIPC_OK);
    const uint8_t *bytes = (const uint8_t *)r.shared;
    assert_int_equal(bytes[56] | bytes[57] | bytes[58] | bytes[59], 0);
    for (uint64_t i = 64 + 12; i < settings.total_size; i++) {
        if (i < 64 + 48 || i >= 64 + 56) /* not origin */
            assert_int_equal(bytes[i], 0);
    }
    (void)shmi_object_unpublish(r.object);
    shmi_region_close(&r);
}

static void two_regions_differ_in_their_nonce(void **state) {
    (void)state;
    uint64_t nonces[2];
    for (int i = 0; i < 2; i++) {
        struct header header;
        struct region_name name = new_name();
        char path[256];
        shmipc_peer *host = create(name.text);
        path_of(name.text, path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(pread(fd, (void *)&header, sizeof header, 0), sizeof header);
        (void)close(fd);
        nonces[i] = header.nonce;
        shmipc_free(host);
    }
    assert_true(nonces[0] != nonces[1]);
}

static void settings_are_checked(void **state) {
    (void)state;
    shmipc_peer *peer;
    shmipc_host_config config = test_host_config();
    assert_int_equal(shmipc_host_create("x", NULL, NULL), SHMIPC_E_INVALID);
    config.size--;
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    config = test_host_config();
    config.request_capacity = 0;
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    config = test_host_config();
    config.flags = 4;
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    config = test_host_config();
    config.mode = 0400;
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    config.mode = 01600;
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    config = test_host_config();
    config.spin_ns = -2;
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    config = test_host_config();
    config.sddl = "D:P(A;;GA;;;WD)"; /* for Windows only */
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    assert_null(peer);
}

static void a_name_beyond_ascii_leads_to_its_region(void **state) {
    (void)state;
    char name[128];
    shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    (void)snprintf(name, sizeof name, "%s-区域-λ", new_name().text);
    assert_int_equal(attach(name), SHMIPC_E_NOT_FOUND);
    config.flags = SHMIPC_GLOBAL; /* ignored here */
    assert_int_equal(shmipc_host_create(name, &config, &host), SHMIPC_OK);
    assert_int_equal(attach(name), SHMIPC_OK);
    shmipc_free(host);
}

static uint64_t reserved_bytes(const char *name) {
    char path[256];
    struct stat status;
    path_of(name, path);
    assert_int_equal(stat(path, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static void memory_is_reserved_unless_lazy(void **state) {
    (void)state;
    shmipc_host_config config = test_host_config();
    struct region_name name = new_name();
    shmipc_peer *host;
    config.request_capacity = 1 << 20;
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    assert_true(reserved_bytes(name.text) >= UINT64_C(4) << 20);
    shmipc_free(host);
    config.flags = SHMIPC_LAZY;
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    assert_true(reserved_bytes(name.text) < UINT64_C(1) << 20);
    shmipc_free(host);
}

static void the_mode_is_as_asked_whatever_the_umask(void **state) {
    (void)state;
    shmipc_host_config config = test_host_config();
    struct region_name name = new_name();
    char path[256];
    struct stat status;
    shmipc_peer *host;
    mode_t before = umask(0077);
    config.mode = 0666;
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    umask(before);
    path_of(name.text, path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0666);
    shmipc_free(host);
}

/* ---- Names that are taken ---- */

static void a_live_host_keeps_its_name_and_its_bytes(void **state) {
    (void)state;
    enum { SIZE = 8064 };
    static uint8_t before[SIZE], after[SIZE];
    struct region_name name = new_name();
    shmipc_host_config other = test_host_config();
    shmipc_peer *second;
    char path[256];
    shmipc_peer *host = create(name.text);
    path_of(name.text, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, before, SIZE, 0), SIZE);
    assert_int_equal(shmipc_host_create(name.text, &other, &second), SHMIPC_E_NAME_IN_USE);
    assert_null(second);
    other.host_slots = 1;
    other.request_capacity = 1;
    assert_int_equal(shmipc_host_create(name.text, &other, &second), SHMIPC_E_NAME_IN_USE);
    assert_int_equal(pread(fd, after, SIZE, 0), SIZE);
    assert_memory_equal(before, after, SIZE);
    (void)close(fd);
    assert_int_equal(attach(name.text), SHMIPC_OK);
    shmipc_free(host);
}

static int host_and_wait(void *context) {
    struct gate *ready = context;
    shmipc_peer *host;
    char name[64];
    (void)snprintf(name, sizeof name, "%s", (const char *)(ready + 1));
    if (shmipc_host_create(name, NULL, &host) != SHMIPC_OK)
        return 1;
    gate_pass(ready);
    for (;;)
        pause();
}

static void a_dead_hosts_region_is_replaced(void **state) {
    (void)state;
    struct gate *ready = shared_memory(4096);
    struct region_name name = new_name();
    memcpy(ready + 1, name.text, sizeof name.text);
    pid_t child = child_start(host_and_wait, ready);
    gate_await(ready, 1);
    assert_int_equal(attach(name.text), SHMIPC_OK);
    shmipc_peer *host;
    assert_int_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_E_NAME_IN_USE);
    child_kill(child);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_FOUND);
    host = create(name.text);
    assert_int_equal(attach(name.text), SHMIPC_OK);
    shmipc_free(host);
    shared_memory_free(ready, 4096);
}

static void an_old_mapping_does_not_keep_a_name(void **state) {
    (void)state;
    struct region_name name = new_name();
    struct pair pair;
    pair_open(&pair, NULL);
    shmipc_free(pair.host);
    assert_int_equal(attach(pair.name.text), SHMIPC_E_NOT_FOUND);
    shmipc_peer *next = create(pair.name.text);
    assert_int_equal(attach(pair.name.text), SHMIPC_OK);
    shmipc_free(pair.guest);
    assert_int_equal(attach(pair.name.text), SHMIPC_OK);
    shmipc_free(next);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_FOUND);
}

/* ---- What may have the name of a region ---- */

static void a_name_that_means_something_else_is_refused(void **state) {
    (void)state;
    struct region_name name;
    char path[256];
    shmipc_peer *peer;
    path_of_new(path, &name);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    assert_int_equal(shmipc_host_create(name.text, NULL, &peer), SHMIPC_E_NOT_A_REGION);
    assert_int_equal(rmdir(path), 0);
    path_of_new(path, &name);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    assert_int_equal(shmipc_host_create(name.text, NULL, &peer), SHMIPC_E_NOT_A_REGION);
    assert_int_equal(unlink(path), 0);
    path_of_new(path, &name);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    assert_int_equal(shmipc_host_create(name.text, NULL, &peer), SHMIPC_E_NOT_A_REGION);
    assert_int_equal(unlink(path), 0);
}

static void links_are_not_followed(void **state) {
    (void)state;
    struct region_name real = new_name();
    struct region_name name;
    char path[256];
    char target[256];
    shmipc_peer *host = create(real.text);
    path_of(real.text, target);
    path_of_new(path, &name);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    assert_int_equal(unlink(path), 0);
    shmipc_free(host);
}

static void more_permissions_than_expected_are_denied(void **state) {
    (void)state;
    shmipc_host_config config = test_host_config();
    shmipc_guest_config guest = test_guest_config();
    struct region_name name = new_name();
    shmipc_peer *host;
    shmipc_peer *peer;
    config.mode = 0660;
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    assert_int_equal(shmipc_guest_attach(name.text, &guest, 0, &peer), SHMIPC_E_DENIED);
    guest.mode = 0666;
    assert_int_equal(shmipc_guest_attach(name.text, &guest, 0, &peer), SHMIPC_OK);
    shmipc_free(peer);
    guest.owner = (int64_t)geteuid() + 1;
    assert_int_equal(shmipc_guest_attach(name.text, &guest, 0, &peer), SHMIPC_E_DENIED);
    guest.owner = (int64_t)geteuid();
    assert_int_equal(shmipc_guest_attach(name.text, &guest, 0, &peer), SHMIPC_OK);
    shmipc_free(peer);
    guest.owner_sid = "SY"; /* for Windows only */
    assert_int_equal(shmipc_guest_attach(name.text, &guest, 0, &peer), SHMIPC_E_INVALID);
    assert_non_null(strstr(shmipc_last_error(), "owner_sid"));
    shmipc_free(host);
}

static void nothing_of_this_name_is_not_found(void **state) {
    (void)state;
    struct region_name name = new_name();
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_FOUND);
    shmipc_peer *host = create(name.text);
    assert_int_equal(attach(name.text), SHMIPC_OK);
    shmipc_free(host);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_FOUND);
}

static void *create_soon(void *context) {
    shmipc_peer **host = context;
    struct region_name *name = (struct region_name *)(host + 1);
    const shmipc_host_config config = test_host_config();
    must_equal(shmipc_host_create(name->text, &config, host), SHMIPC_OK);
    return NULL;
}

static void attaching_waits_for_the_host_to_appear(void **state) {
    (void)state;
    struct {
        shmipc_peer *host;
        struct region_name name;
    } late = {.name = new_name()};
    shmipc_peer *guest;
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_guest_attach(late.name.text, NULL, 20 * MILLISECOND, &guest),
                     SHMIPC_E_NOT_FOUND);
    assert_true(now_ns() - begin >= 20 * MILLISECOND);
    pthread_t thread = thread_start(create_soon, &late);
    assert_int_equal(shmipc_guest_attach(late.name.text, NULL, SHMIPC_FOREVER, &guest), SHMIPC_OK);
    thread_join(thread);
    shmipc_free(guest);
    shmipc_free(late.host);
}

static void a_failed_attach_leaves_nothing(void **state) {
    (void)state;
    struct region_name name;
    char path[256];
    int descriptors = count_descriptors();
    int mappings = count_mappings();
    path_of_new(path, &name);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(
        write(fd, "not a region, though long enough for a header; see for yourself.", 64), 64);
    (void)close(fd);
    for (int i = 0; i < 100; i++)
        assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(count_descriptors(), descriptors);
    assert_int_equal(count_mappings(), mappings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(host_lock_lies_where_the_protocol_says),
        watched_test(a_peers_own_lock_is_not_anothers),
        watched_test(names_of_allowed_characters_are_taken),
        watched_test(names_of_other_characters_are_refused),
        watched_test(empty_and_overlong_names_are_refused),
        watched_test(create_and_attach_check_the_name),
        watched_test(a_new_region_is_as_the_layout_says),
        watched_test(everything_but_header_and_host_line_is_zero),
        watched_test(two_regions_differ_in_their_nonce),
        watched_test(settings_are_checked),
        watched_test(a_name_beyond_ascii_leads_to_its_region),
        watched_test(memory_is_reserved_unless_lazy),
        watched_test(the_mode_is_as_asked_whatever_the_umask),
        watched_test(a_live_host_keeps_its_name_and_its_bytes),
        watched_test(a_dead_hosts_region_is_replaced),
        watched_test(an_old_mapping_does_not_keep_a_name),
        watched_test(a_name_that_means_something_else_is_refused),
        watched_test(links_are_not_followed),
        watched_test(more_permissions_than_expected_are_denied),
        watched_test(nothing_of_this_name_is_not_found),
        watched_test(attaching_waits_for_the_host_to_appear),
        watched_test(a_failed_attach_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
