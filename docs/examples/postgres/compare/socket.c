/* Asks Go through a Unix socket, for comparison: one connection of a backend, and neither time-out
   nor cancellation. A request is its length, its type and its bytes, an answer its length and its
   bytes. */
#include "extension.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static int server = -1;

static int reach_server(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strlcpy(address.sun_path, setting_socket, sizeof address.sun_path);
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(server, (struct sockaddr *)&address, sizeof address);
}

static int send_all(uint32_t type, struct bytes request) {
    uint32_t head[2] = {(uint32_t)request.length, type};
    struct iovec parts[2] = {{head, sizeof head}, {(void *)request.data, request.length}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(server, &message, MSG_NOSIGNAL) == (ssize_t)(sizeof head + request.length) ? 0
                                                                                              : -1;
}

static int receive_all(void *bytes, size_t length) {
    return recv(server, bytes, length, MSG_WAITALL) == (ssize_t)length ? 0 : -1;
}

static int receive_answer(char *bytes, uint32_t *length) {
    if (receive_all(length, sizeof *length))
        return -1;
    if (*length > CAPACITY) {
        errno = EMSGSIZE;
        return -1;
    }
    return *length ? receive_all(bytes, *length) : 0;
}

struct bytes call_socket(uint32_t type, struct bytes request) {
    static char answer[CAPACITY];
    uint32_t length = 0;
    if ((server < 0 && reach_server()) || send_all(type, request) ||
        receive_answer(answer, &length)) {
        int os_error = errno;
        (void)close(server);
        server = -1;
        ereport(ERROR, errcode(ERRCODE_SYSTEM_ERROR),
                errmsg("\"%s\": %s", setting_socket, strerror(os_error)));
    }
    return (struct bytes){answer, length};
}
