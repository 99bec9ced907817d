#define _GNU_SOURCE
#include "socket_loop.h"

#include "calls/pair.h"
#include "stream.h"
#include "support/child.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct socket_loop {
    struct subject stream; /* has the process that answers */
    int socket;
    int epoll;
    unsigned in_flight;
    size_t bytes;
    char *there;
    char *back; /* room for as many answers as are in flight */
};

static void send_one(const struct socket_loop *s) {
    if (send(s->socket, s->there, s->bytes, 0) != (ssize_t)s->bytes)
        die("send");
}

/* `calls` is a multiple of the number in flight. */
static void run(void *self, uint64_t calls) {
    const struct socket_loop *s = self;
    uint64_t to_send = calls - s->in_flight, missing = calls * s->bytes;
    size_t received = 0; /* of an answer that is not complete */
    for (unsigned i = 0; i < s->in_flight; i++)
        send_one(s);
    while (missing > 0) {
        struct epoll_event event;
        if (epoll_wait(s->epoll, &event, 1, -1) != 1)
            die("epoll_wait");
        ssize_t n = recv(s->socket, s->back, s->in_flight * s->bytes, MSG_DONTWAIT);
        if (n <= 0)
            die("recv");
        missing -= (uint64_t)n;
        for (received += (size_t)n; received >= s->bytes; received -= s->bytes) {
            if (to_send > 0) {
                send_one(s);
                to_send--;
            }
        }
    }
}

static void stop(void *self) {
    struct socket_loop *s = self;
    close(s->epoll);
    s->stream.stop(s->stream.self);
    free(s->there);
    free(s->back);
    free(s);
}

struct subject socket_loop_start(const char *guest, size_t bytes, unsigned in_flight) {
    struct socket_loop *s = calloc(1, sizeof *s);
    char *program = strcmp(guest, "go") == 0 ? program_path("bench_socket") : NULL;
    struct epoll_event wanted = {.events = EPOLLIN};
    int ends[2];
    if (!s || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        die("socketpair");
    *s = (struct socket_loop){.stream =
                                  stream_start("loop", program, bytes, (int[]){ends[0], ends[0]},
                                               (int[]){ends[1], ends[1]}),
                              .socket = ends[0],
                              .epoll = epoll_create1(EPOLL_CLOEXEC),
                              .in_flight = in_flight,
                              .bytes = bytes,
                              .there = calloc(1, bytes),
                              .back = calloc(in_flight, bytes)};
    free(program);
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->socket, &wanted) != 0)
        die("epoll_ctl");
    return (struct subject){.label = {"loop", guest, bytes, 1, in_flight, "Unix socket"},
                            .self = s,
                            .unit = in_flight,
                            .run = run,
                            .stop = stop};
}
