/*
 * The DLL in a program that does not know it: loaded and unloaded while threads live on, by several
 * users at once, a thousand times.
 */
#include "support/fixture.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

/* One load of the library, and what is used of it. */
struct library {
    HMODULE module;
    int (*host_create)(const char *name, const shmipc_host_config *config, shmipc_peer **peer);
    int (*guest_attach)(const char *name, const shmipc_guest_config *config, int64_t timeout,
                        shmipc_peer **peer);
    int (*serve)(shmipc_peer *peer, shmipc_handler handler, void *context);
    int (*call)(shmipc_peer *peer, const shmipc_request *request, shmipc_response *response,
                int64_t timeout);
    int (*close)(shmipc_peer *peer);
    void (*free)(shmipc_peer *peer);
    const char *(*last_error)(void);
};

static void find(const struct library *library, const char *name, void *function) {
    FARPROC found = GetProcAddress(library->module, name);
    must(found != NULL);
    memcpy(function, &found, sizeof found);
}

static struct library load(const char *path) {
    struct library library = {.module = LoadLibraryA(path)};
    must(library.module != NULL);
    find(&library, "shmipc_host_create", (void *)&library.host_create);
    find(&library, "shmipc_guest_attach", (void *)&library.guest_attach);
    find(&library, "shmipc_serve", (void *)&library.serve);
    find(&library, "shmipc_call", (void *)&library.call);
    find(&library, "shmipc_close", (void *)&library.close);
    find(&library, "shmipc_free", (void *)&library.free);
    find(&library, "shmipc_last_error", (void *)&library.last_error);
    return library;
}

static void unload(struct library *library) {
    must(FreeLibrary(library->module));
    library->module = NULL;
}

static bool is_loaded(void) {
    return GetModuleHandleA("shmipc.dll") != NULL;
}

/* ---- A host and a guest of it, by one load of the library ---- */

struct user {
    const struct library *library;
    shmipc_peer *host;
    shmipc_peer *guest;
    pthread_t server;
};

static void *serve(void *context) {
    struct user *user = context;
    must_equal(user->library->serve(user->guest, echo_handler, NULL), SHMIPC_E_CLOSED);
    return NULL;
}

static struct user *user_begin(struct user *user, const struct library *library) {
    const shmipc_host_config host = test_host_config();
    const shmipc_guest_config guest = test_guest_config();
    struct region_name name = new_name();
    user->library = library;
    must_equal(library->host_create(name.text, &host, &user->host), SHMIPC_OK);
    must_equal(library->guest_attach(name.text, &guest, SECOND, &user->guest), SHMIPC_OK);
    user->server = thread_start(serve, user);
    return user;
}

static void user_calls(const struct user *user) {
    const shmipc_request request = {.data = "hello", .length = 5};
    char answer[16];
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    must_equal(user->library->call(user->host, &request, &response, 20 * SECOND), SHMIPC_OK);
    must_equal(response.length, 5);
    must(memcmp(answer, "hello", 5) == 0);
}

static void user_end(struct user *user) {
    user->library->close(user->guest);
    thread_join(user->server);
    user->library->free(user->guest);
    user->library->free(user->host);
}

/* ---- Tests ---- */

static void loads_and_unloads_leave_nothing(void **state) {
    (void)state;
    int handles = 0;
    DWORD index = TLS_OUT_OF_INDEXES;
    for (int round = 0; round < 1200; round++) { /* more than there are indexes for threads' data */
        struct user user;
        struct library library = load(SHMIPC_DLL);
        if (round % 100 == 0) {
            user_calls(user_begin(&user, &library));
            user_end(&user);
        }
        must_equal(library.host_create("/", NULL, &user.host), SHMIPC_E_NAME);
        must(strstr(library.last_error(), "0x2f") != NULL);
        unload(&library);
        must(!is_loaded());
        if (round == 200) { /* the system has set up what it keeps */
            handles = count_descriptors();
            index = TlsAlloc();
            must(TlsFree(index));
        }
    }
    assert_in_range(count_descriptors(), handles - 2, handles + 2);
    assert_int_equal(TlsAlloc(), index);
    must(TlsFree(index));
}

/* A thread that used the library, lives on without it, and uses it again. */
struct visitor {
    struct gate turn;
    struct gate done;
    struct library library;
};

static void *visit_twice(void *context) {
    struct visitor *visitor = context;
    for (unsigned visit = 1; visit <= 3; visit++) {
        shmipc_peer *nobody;
        gate_await(&visitor->turn, visit);
        if (visitor->library.module != NULL)
            must_equal(visitor->library.host_create("/", NULL, &nobody), SHMIPC_E_NAME);
        gate_pass(&visitor->done);
    }
    return NULL;
}

static void a_thread_outlives_the_library(void **state) {
    (void)state;
    static struct visitor visitor;
    pthread_t thread = thread_start(visit_twice, &visitor);
    for (unsigned visit = 1; visit <= 3; visit++) {
        if (visit != 2)
            visitor.library = load(SHMIPC_DLL);
        gate_pass(&visitor.turn);
        gate_await(&visitor.done, visit);
        if (visit != 2)
            unload(&visitor.library);
        must(!is_loaded());
    }
    thread_join(thread);
}

static void two_users_of_one_library_do_not_meet(void **state) {
    (void)state;
    struct library libraries[] = {load(SHMIPC_DLL), load(SHMIPC_DLL)};
    struct user users[2];
    user_begin(&users[0], &libraries[0]);
    user_begin(&users[1], &libraries[1]);
    for (int i = 0; i < 100; i++) {
        user_calls(&users[0]);
        user_calls(&users[1]);
    }
    user_end(&users[0]);
    unload(&libraries[0]);
    for (int i = 0; i < 100; i++)
        user_calls(&users[1]);
    user_end(&users[1]);
    unload(&libraries[1]);
    assert_false(is_loaded());
}

/* Two components that each brought their own. */
static void two_copies_of_the_library_do_not_meet(void **state) {
    (void)state;
    char copy[MAX_PATH];
    (void)snprintf(copy, sizeof copy, "%s-%lu.dll", SHMIPC_DLL,
                   (unsigned long)GetCurrentProcessId());
    must(CopyFileA(SHMIPC_DLL, copy, FALSE));
    struct library libraries[] = {load(SHMIPC_DLL), load(copy)};
    must(libraries[0].module != libraries[1].module);
    struct user users[2];
    user_begin(&users[0], &libraries[0]);
    user_begin(&users[1], &libraries[1]);
    user_calls(&users[0]);
    user_calls(&users[1]);
    user_end(&users[0]);
    unload(&libraries[0]);
    user_calls(&users[1]);
    user_end(&users[1]);
    unload(&libraries[1]);
    must(DeleteFileA(copy));
}

static void coming_and_going_leaks_no_handle(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    pair_close(&pair);
    int handles = count_descriptors();
    for (int round = 0; round < 1000; round++) {
        pair_open(&pair, NULL);
        pair_close(&pair);
    }
    assert_int_equal(count_descriptors(), handles);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(loads_and_unloads_leave_nothing),
        watched_test(a_thread_outlives_the_library),
        watched_test(two_users_of_one_library_do_not_meet),
        watched_test(two_copies_of_the_library_do_not_meet),
        watched_test(coming_and_going_leaks_no_handle),
    };
    return cmocka_run_group_tests_name("library", tests, NULL, NULL);
}
