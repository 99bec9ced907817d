/* Calls whose answers have a size that their caller does not know. */
#define _GNU_SOURCE
#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

/* Answers with as many bytes as the request says, or fails with them as its message. */
struct wish {
    uint32_t length;
    uint32_t failed;
};

static int wish_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    struct wish wish;
    (void)context;
    memcpy(&wish, request->data, sizeof wish);
    if (wish.failed) {
        memset(response->data, 'x', wish.length);
        response->length = wish.length;
        return -1;
    }
    pattern_fill(response->data, wish.length, wish.length);
    response->length = wish.length;
    return 0;
}

/* Counts, and gives memory of exactly the size that is asked for, or none. */
struct allocator {
    int asked;
    size_t length;
    bool empty;
};

static void *allocate(void *context, size_t length) {
    struct allocator *a = context;
    a->asked++;
    a->length = length;
    return a->empty ? NULL : malloc(length);
}

struct scene {
    struct pair pair;
    struct server server;
    shmipc_slot slot; /* held, or stale: the pool's are used */
};

static void scene_open(struct scene *s, bool held) {
    *s = (struct scene){.slot = {NULL, 0, 0}};
    pair_open(&s->pair, NULL);
    server_start(&s->server, s->pair.guest, wish_handler, NULL);
    if (held)
        must_equal(shmipc_slot_claim(s->pair.host, SECOND, &s->slot), 0);
}

static void scene_close(struct scene *s) {
    (void)shmipc_slot_release(s->slot);
    (void)server_stop(&s->server);
    pair_close(&s->pair);
}

static int call(struct scene *s, struct wish wish, shmipc_response *response) {
    const shmipc_request request = {.data = &wish, .length = sizeof wish};
    return s->slot.peer != NULL ? shmipc_slot_call(s->slot, &request, response, 20 * SECOND)
                                : shmipc_call(s->pair.host, &request, response, 20 * SECOND);
}

static void answers_of_every_size_get_room(bool held) {
    struct scene s;
    char little[40];
    scene_open(&s, held);
    for (uint32_t length = 0; length <= 512; length++) {
        struct allocator a = {0};
        shmipc_response response = {.data = little,
                                    .capacity = sizeof little,
                                    .allocate = allocate,
                                    .allocate_context = &a};
        must_equal(call(&s, (struct wish){.length = length}, &response), 0);
        must_equal(response.length, length);
        must(pattern_holds(response.data, length, length));
        must_equal(a.asked, length > sizeof little);
        must((response.data == little) == (length <= sizeof little));
        must(a.asked == 0 || (a.length == length && response.capacity == length));
        if (a.asked)
            free(response.data);
    }
    scene_close(&s);
}

static void an_answer_of_unknown_size_gets_exact_room(void **state) {
    (void)state;
    answers_of_every_size_get_room(false);
    answers_of_every_size_get_room(true);
}

/* The slot goes on: with two of them a leak would show at the third call. */
static void an_answer_without_room_is_lost_and_its_size_told(void **state) {
    struct allocator a = {.empty = true};
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct scene s;
        scene_open(&s, held);
        for (int i = 0; i < 5; i++) {
            shmipc_response response = {.allocate = allocate, .allocate_context = &a};
            must_equal(call(&s, (struct wish){.length = 300}, &response), SHMIPC_E_NO_MEMORY);
            must_equal(response.length, 300);
            must(strstr(shmipc_last_error(), "300") != NULL);
            must_equal(call(&s, (struct wish){.length = 0}, &response), 0);
        }
        scene_close(&s);
    }
}

static void a_handlers_message_gets_room_too(void **state) {
    struct scene s;
    struct allocator a = {0};
    shmipc_response response = {.allocate = allocate, .allocate_context = &a};
    (void)state;
    scene_open(&s, false);
    must_equal(call(&s, (struct wish){.length = 200, .failed = 1}, &response), SHMIPC_E_HANDLER);
    must_equal(response.length, 200);
    for (int i = 0; i < 200; i++)
        must_equal(((char *)response.data)[i], 'x');
    free(response.data);
    a.empty = true; /* then as much as fits, which is nothing */
    response = (shmipc_response){.allocate = allocate, .allocate_context = &a};
    must_equal(call(&s, (struct wish){.length = 200, .failed = 1}, &response), SHMIPC_E_HANDLER);
    must_equal(response.length, 0);
    scene_close(&s);
}

static void without_an_allocator_the_size_is_told(void **state) {
    struct scene s;
    char little[40];
    shmipc_response response = {.data = little, .capacity = sizeof little};
    (void)state;
    scene_open(&s, false);
    must_equal(call(&s, (struct wish){.length = 300}, &response), SHMIPC_E_TOO_LARGE);
    must_equal(response.length, 300);
    scene_close(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(an_answer_of_unknown_size_gets_exact_room),
        watched_test(an_answer_without_room_is_lost_and_its_size_told),
        watched_test(a_handlers_message_gets_room_too),
        watched_test(without_an_allocator_the_size_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
