/* Questions about a descriptor of this process. */
#ifndef SHMIPC_TESTS_DESCRIPTORS_H
#define SHMIPC_TESTS_DESCRIPTORS_H

#include <fcntl.h>
#include <stdbool.h>

static inline bool is_open(int fd) {
    return fcntl(fd, F_GETFD) != -1;
}

#endif
