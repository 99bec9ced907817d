#define _GNU_SOURCE
#include "unix_socket.h"

#include "stream.h"
#include "support/child.h"

#include <sys/socket.h>

struct subject unix_socket_start(size_t bytes) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        die("socketpair");
    return stream_start("unix_socket", bytes, (int[]){ends[0], ends[0]}, (int[]){ends[1], ends[1]});
}
