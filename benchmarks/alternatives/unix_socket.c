#define _GNU_SOURCE
#include "unix_socket.h"

#include "calls/pair.h"
#include "stream.h"
#include "support/child.h"

#include <stdlib.h>
#include <sys/socket.h>

static struct subject start(size_t bytes, char *program) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        die("socketpair");
    return stream_start("unix_socket", program, bytes, (int[]){ends[0], ends[0]},
                        (int[]){ends[1], ends[1]});
}

struct subject unix_socket_start(size_t bytes) {
    return start(bytes, NULL);
}

struct subject unix_socket_start_go(size_t bytes) {
    char *program = program_path("bench_socket");
    struct subject subject = start(bytes, program);
    free(program);
    return subject;
}
