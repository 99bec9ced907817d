/*
 * The last failure of each thread: a code, the system's code, and a sentence. Called only where
 * something fails, so it costs a successful call nothing.
 */
#ifndef SHMIPC_ERROR_H
#define SHMIPC_ERROR_H

#include "shmipc/shmipc.h"

#ifdef __GNUC__
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#else
#define PRINTF_LIKE(text, first)
#endif

/* Records the failure and returns `code`, for `return shmi_fail(...)`. */
int shmi_fail(int code, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same for a failure the system reported. */
int shmi_fail_os(int code, int os_error, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
