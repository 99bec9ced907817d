/*
 * Waiting for one descriptor, as an event loop does.
 */
#ifndef SHMIPC_TESTS_READABLE_H
#define SHMIPC_TESTS_READABLE_H

#include "shmipc/shmipc.h"

#include <stdbool.h>
#include <stdint.h>

/* Waits up to `timeout` ns, rounded up to milliseconds. */
bool is_readable(shmipc_fd fd, int64_t timeout);

#endif
