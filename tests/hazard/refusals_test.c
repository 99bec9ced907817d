/*
 * Sandboxes that refuse single system calls: what a peer relies on later is an error at its
 * creation or attach, which names the call.
 */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Filters ---- */

enum { ANY = -1, DESCRIPTORS = 64 };

/* A call, in all its forms or with one value of an argument. */
struct form {
    long number;
    int argument; /* whose value counts, from 0 on; ANY */
    uint32_t value;
};

struct refusal {
    const char *name; /* as the sentence has it */
    struct form forms[2];
    bool only_creating;
};

#if defined(SYS_newfstatat)
#define FSTAT_AT SYS_newfstatat
#else
#define FSTAT_AT SYS_fstat
#endif

static const struct refusal refusals[] = {
    {"fcntl(F_OFD_SETLK)", {{SYS_fcntl, 1, F_OFD_SETLK}}, false},
    {"fcntl(F_OFD_GETLK)", {{SYS_fcntl, 1, F_OFD_GETLK}}, false},
    {"futex(FUTEX_WAIT_BITSET)", {{SYS_futex, 1, 9}}, false},
    {"futex(FUTEX_WAKE)", {{SYS_futex, 1, 1}}, false},
    {"futex(FUTEX_WAKE_BITSET)", {{SYS_futex, 1, 10}}, false},
    {"fstat", {{SYS_fstat, ANY, 0}, {FSTAT_AT, 3, AT_EMPTY_PATH}}, false},
    {"madvise(MADV_DONTFORK)", {{SYS_madvise, 2, MADV_DONTFORK}}, false},
    {"fchmod", {{SYS_fchmod, ANY, 0}}, true},
    {"fallocate", {{SYS_fallocate, ANY, 0}}, true},
    {"linkat", {{SYS_linkat, ANY, 0}}, true},
};

enum { REFUSALS = sizeof refusals / sizeof *refusals };

static const int codes[] = {EPERM, ENOSYS, EINVAL, EOPNOTSUPP};

/* A filter as the kernel takes it: linux/filter.h, linux/seccomp.h, which not every C library has
   beside it. */
struct instruction {
    uint16_t code;
    uint8_t skip_if, skip_unless;
    uint32_t operand;
};

struct program {
    unsigned short length;
    struct instruction *code;
};

enum {
    NUMBER_OFFSET = 0, /* of the call, in what a filter sees */
    ARGUMENTS_OFFSET = 16,
    MODE_FILTER = 2,
};

#define RETURN_ERROR UINT32_C(0x00050000)
#define RETURN_ALLOW UINT32_C(0x7fff0000)

static struct instruction load(size_t offset) {
    return (struct instruction){.code = 0x20, .operand = (uint32_t)offset};
}

static struct instruction skip_unless(uint32_t value, uint8_t count) {
    return (struct instruction){.code = 0x15, .skip_unless = count, .operand = value};
}

static struct instruction go_on(void) {
    return (struct instruction){.code = 0x05};
}

static struct instruction end(uint32_t verdict) {
    return (struct instruction){.code = 0x06, .operand = verdict};
}

/* Five instructions; a call that is not of the form continues after them. The low half of an
   argument comes first. */
static void write_form(struct instruction *at, const struct form *form, int os_error) {
    const size_t argument = form->argument == ANY ? 0 : (size_t)form->argument;
    at[0] = load(NUMBER_OFFSET);
    at[1] = skip_unless((uint32_t)form->number, 3);
    at[2] = load(ARGUMENTS_OFFSET + 8 * argument);
    at[3] = form->argument == ANY ? go_on() : skip_unless(form->value, 1);
    at[4] = end(RETURN_ERROR | (uint32_t)os_error);
}

static void refuse(const struct form forms[2], int os_error) {
    struct instruction code[11];
    struct program program = {.length = 11, .code = code};
    write_form(code, &forms[0], os_error);
    write_form(code + 5, forms[1].number == 0 ? &forms[0] : &forms[1], os_error);
    code[10] = end(RETURN_ALLOW);
    must_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    must_equal(prctl(PR_SET_SECCOMP, MODE_FILTER, &program), 0);
}

/* ---- One peer in a sandbox ---- */

struct attempt {
    const struct refusal *refusal;
    int os_error;
    bool creates;
    bool lazily;
    struct region_name name;
};

/* Without fstat, which a look at /proc would need. */
static int count_open(void) {
    int count = 0;
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static int join(const struct attempt *a, shmipc_peer **peer) {
    shmipc_host_config config = test_host_config();
    if (a->lazily)
        config.flags = SHMIPC_LAZY;
    return a->creates ? shmipc_host_create(a->name.text, &config, peer)
                      : shmipc_guest_attach(a->name.text, NULL, SECOND, peer);
}

static int be_refused(void *context) {
    const struct attempt *a = context;
    shmipc_peer *peer;
    int descriptors = count_open();
    refuse(a->refusal->forms, a->os_error);
    must_equal(join(a, &peer), SHMIPC_E_NOT_SUPPORTED);
    must(peer == NULL);
    must_equal(shmipc_last_os_error(), a->os_error);
    must(strstr(shmipc_last_error(), a->refusal->name) != NULL);
    must_equal(count_open(), descriptors);
    must_equal(count_mappings(), 0);
    return 0;
}

static void try_in_a_child(struct attempt attempt) {
    must_equal(child_wait(child_start(be_refused, &attempt)), 0);
}

static void test_a_host_tries_at_creation_what_it_will_need(void **state) {
    (void)state;
    for (int i = 0; i < REFUSALS; i++) {
        for (size_t j = 0; j < sizeof codes / sizeof *codes; j++)
            try_in_a_child((struct attempt){&refusals[i], codes[j], true, false, new_name()});
    }
}

static void test_a_guest_tries_at_attach_what_it_will_need(void **state) {
    struct region_name name = new_name();
    shmipc_peer *host;
    shmipc_event event;
    (void)state;
    must_equal(shmipc_host_create(name.text, NULL, &host), 0);
    for (int i = 0; i < REFUSALS; i++) {
        for (size_t j = 0; j < sizeof codes / sizeof *codes && !refusals[i].only_creating; j++)
            try_in_a_child((struct attempt){&refusals[i], codes[j], false, false, name});
    }
    must_equal(shmipc_next_event(host, 0, &event), SHMIPC_E_TIMEOUT);
    shmipc_free(host);
}

static void test_a_size_that_cannot_be_given_is_not_supported(void **state) {
    static const struct refusal truncating = {"ftruncate", {{SYS_ftruncate, ANY, 0}}, true};
    (void)state;
    try_in_a_child((struct attempt){&truncating, EPERM, true, true, new_name()});
}

/* ---- Two ways to a name ---- */

static const struct form by_descriptor = {SYS_linkat, 4, AT_EMPTY_PATH};
static const struct form by_proc = {SYS_linkat, 4, AT_SYMLINK_FOLLOW};

static int create_by_one_way(void *context) {
    struct pair pair;
    refuse((struct form[2]){*(const struct form *)context}, EPERM);
    pair_open(&pair, NULL);
    pair_close(&pair);
    return 0;
}

static void test_either_way_to_a_name_will_do(void **state) {
    struct form ways[] = {by_descriptor, by_proc};
    (void)state;
    for (int i = 0; i < 2; i++)
        must_equal(child_wait(child_start(create_by_one_way, &ways[i])), 0);
}

/* As on a system without /proc, where the other way needs a privilege. */
static int create_by_no_way(void *context) {
    struct region_name name = new_name();
    shmipc_peer *host;
    (void)context;
    refuse((struct form[2]){by_descriptor, by_proc}, ENOENT);
    must_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_E_NOT_SUPPORTED);
    must_equal(shmipc_last_os_error(), ENOENT);
    must(strstr(shmipc_last_error(), "linkat") != NULL);
    must(strstr(shmipc_last_error(), "/proc") != NULL);
    return 0;
}

static void test_no_way_to_a_name_is_not_supported(void **state) {
    (void)state;
    must_equal(child_wait(child_start(create_by_no_way, NULL)), 0);
}

HAZARD_MAIN("refusals", hazard_test(test_a_host_tries_at_creation_what_it_will_need),
            hazard_test(test_a_guest_tries_at_attach_what_it_will_need),
            hazard_test(test_a_size_that_cannot_be_given_is_not_supported),
            hazard_test(test_either_way_to_a_name_will_do),
            hazard_test(test_no_way_to_a_name_is_not_supported))
