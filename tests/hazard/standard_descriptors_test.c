/* None of the library's descriptors is a standard one, whatever others close or open meanwhile. */
#define _GNU_SOURCE
#include "hazard/descriptors.h"
#include "hazard/peers.h"
#include "hazard/printing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void exchange_between(shmipc_peer *caller, shmipc_peer *responder) {
    struct server server;
    char answer[300];
    char question[300];
    const shmipc_request request = {.data = question, .length = sizeof question};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    pattern_fill(question, sizeof question, 7);
    server_start(&server, responder, echo_handler, NULL);
    must_equal(shmipc_call(caller, &request, &response, 20 * SECOND), 0);
    must(pattern_holds(answer, sizeof answer, 7));
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
}

/* ---- Standard descriptors ---- */

static void use_a_region(unsigned closed) {
    struct pair pair;
    pair_open(&pair, NULL);
    for (int fd = 0; fd < 3; fd++)
        must_equal(is_open(fd), !(closed >> fd & 1));
    exchange_between(pair.host, pair.guest);
    pair_close(&pair);
}

static void use_regions(unsigned closed) {
    for (unsigned i = 0; i < scaled(20); i++)
        use_a_region(closed);
}

static void test_no_descriptor_is_a_standard_one(void **state) {
    (void)state;
    print_while(use_regions);
}

/* ---- Standard descriptors that others open or close in the middle; named for the linker ---- */

static void (*in_the_middle)(void); /* of the library's opening a file of its own */
static int creations;

int real_open(const char *path, int flags, ...) __asm__("__real_open");
int test_open(const char *path, int flags, mode_t mode) __asm__("__wrap_open");

int test_open(const char *path, int flags, mode_t mode) {
    void (*interfere)(void) = in_the_middle;
    creations += (flags & O_TMPFILE) == O_TMPFILE;
    if (interfere != NULL && strcmp(path, "/") != 0) {
        in_the_middle = NULL;
        interfere();
    }
    return real_open(path, flags, mode);
}

static void close_output(void) {
    must_equal(close(1), 0);
}

static void redirect_output(void) {
    must_equal(dup2(2, 1), 1);
}

static void create_without_output(void (*interfere)(void)) {
    struct pair pair;
    (void)close(1);
    in_the_middle = interfere;
    creations = 0;
    pair_open(&pair, NULL);
    must(in_the_middle == NULL);
    must_equal(is_open(1), interfere == redirect_output);
    must_equal(creations, interfere == redirect_output ? 1 : 2); /* the first had descriptor 1 */
    pair_close(&pair);
}

static int live_with_interference(void *context) {
    (void)context;
    create_without_output(close_output);
    create_without_output(redirect_output);
    return 0;
}

static void test_standard_descriptors_of_others_stay_as_they_are(void **state) {
    (void)state;
    must_equal(child_wait(child_start(live_with_interference, NULL)), 0);
}

HAZARD_MAIN("standard_descriptors", hazard_test(test_no_descriptor_is_a_standard_one),
            hazard_test(test_standard_descriptors_of_others_stay_as_they_are))
