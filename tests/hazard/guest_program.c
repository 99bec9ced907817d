#define _GNU_SOURCE
#include "hazard/guest_program.h"

#include "region/slot.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int64_t patience(void) {
    const char *seconds = getenv("MINIMAL_GUEST_PATIENCE");
    return (seconds == NULL ? 20 : strtol(seconds, NULL, 10)) * SECOND;
}

struct process start_guest(const char *region, const char *text) {
    const char *other = getenv("MINIMAL_GUEST");
    const char *const arguments[] = {other == NULL ? MINIMAL_GUEST_PROGRAM : other, region, text,
                                     NULL};
    return process_start(arguments);
}

int end_of(struct process guest) {
    siginfo_t information = {.si_pid = 0};
    in_time(waitid(P_PID, (id_t)guest.pid, &information, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            information.si_pid != 0);
    return process_wait(guest);
}

int host_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    struct scenery *s = context;
    if (request->length == sizeof only_calls - 1 &&
        memcmp(request->data, only_calls, request->length) == 0)
        atomic_fetch_add(&s->from_only_calls, 1);
    for (unsigned i = 0; i < 20 && request->length == 1; i++)
        pause_briefly();
    return echo_handler(NULL, request, response);
}

void open_host(struct scenery *s, const shmipc_host_config *config) {
    s->name = new_name();
    must_equal(shmipc_host_create(s->name.text, config, &s->host), SHMIPC_OK);
    atomic_store(&s->from_only_calls, 0);
    server_start(&s->server, s->host, host_handler, s);
}

void open_scenery(struct scenery *s, uint32_t request_capacity, uint32_t response_capacity) {
    shmipc_host_config config = test_host_config();
    config.request_capacity = request_capacity;
    config.response_capacity = response_capacity;
    open_host(s, &config);
}

void close_scenery(struct scenery *s) {
    must_equal(shmipc_shutdown(s->host, patience()), SHMIPC_OK);
    (void)server_join(&s->server);
    shmipc_free(s->host);
}

int call(shmipc_peer *host, uint32_t type, const void *data, size_t length,
         shmipc_response *response) {
    const shmipc_request request = {.data = data, .length = length, .type = type};
    return shmipc_call(host, &request, response, patience());
}

void echo(shmipc_peer *host, uint32_t type, size_t length) {
    uint8_t *sent = malloc(length + 1);
    uint8_t *got = malloc(length + 1);
    must(sent != NULL && got != NULL);
    shmipc_response response = {.data = got, .capacity = length};
    pattern_fill(sent, length, length + type);
    must_equal(call(host, type, sent, length, &response), SHMIPC_OK);
    must_equal(response.length, length);
    must_equal(response.type, type);
    must(pattern_holds(got, length, length + type));
    free(sent);
    free(got);
}

struct view view_open(const char *name) {
    struct view view;
    struct stat status;
    char path[256];
    path_of(name, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    must(fd >= 0 && fstat(fd, &status) == 0);
    view.size = (size_t)status.st_size;
    view.shared = mmap(NULL, view.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must((void *)view.shared != MAP_FAILED);
    must_equal(close(fd), 0);
    return view;
}

struct slot *slot_of(const struct view *view, uint32_t number) {
    const size_t stride = view->shared->header.slot_stride;
    return (void *)((uint8_t *)view->shared + SLOTS_OFFSET + number * stride);
}

unsigned slots_in(const struct view *view, uint32_t first, uint32_t slots, enum slot_state state) {
    unsigned count = 0;
    for (uint32_t i = 0; i < slots; i++)
        count += word_state(slot_look_again(slot_of(view, first + i))) == state;
    return count;
}
