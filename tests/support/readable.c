#include "support/readable.h"

#ifdef _WIN32

#include <windows.h>

bool is_readable(shmipc_fd fd, int64_t timeout) {
    return WaitForSingleObject(fd, (DWORD)((timeout + 999999) / 1000000)) == WAIT_OBJECT_0;
}

#else

#include <poll.h>

bool is_readable(shmipc_fd fd, int64_t timeout) {
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    return poll(&wanted, 1, (int)((timeout + 999999) / 1000000)) == 1;
}

#endif
