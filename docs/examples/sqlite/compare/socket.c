/* Asks Go through a Unix socket, for comparison: one connection, and neither time-out, interrupt
   nor a server that comes back. A request is its length, its type and its bytes, an answer its
   length and its bytes. */
#include "extension.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static int server = -1;

static int reach_server(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("SQLITE_SOCKET");
    if (!path || strlen(path) >= sizeof address.sun_path) {
        errno = EINVAL;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(server, (struct sockaddr *)&address, sizeof address);
}

static int send_all(const shmipc_request *request) {
    uint32_t head[2] = {(uint32_t)request->length, request->type};
    struct iovec parts[2] = {{head, sizeof head}, {(void *)request->data, request->length}};
    return writev(server, parts, 2) == (ssize_t)(sizeof head + request->length) ? 0 : -1;
}

static int receive_all(void *bytes, size_t length) {
    return recv(server, bytes, length, MSG_WAITALL) == (ssize_t)length ? 0 : -1;
}

static int receive_answer(shmipc_response *response) {
    uint32_t length;
    if (receive_all(&length, sizeof length))
        return -1;
    if (length > response->capacity) {
        errno = EMSGSIZE;
        return -1;
    }
    response->length = length;
    return length ? receive_all(response->data, length) : 0;
}

int ask(sqlite3 *db, const shmipc_request *request, shmipc_response *response, const char **why) {
    (void)db;
    if ((server < 0 && reach_server()) || send_all(request) || receive_answer(response)) {
        *why = strerror(errno);
        return SQLITE_ERROR;
    }
    return SQLITE_OK;
}

void region_hold(void) {}

void region_drop(void *unused) {
    (void)unused;
    if (server >= 0)
        (void)close(server);
    server = -1;
}

int region_timeout(int milliseconds) {
    return milliseconds;
}
