/*
 * The last failure of each thread: a code, the system's code, and a sentence. Recorded only on
 * failure, so a successful call pays nothing.
 */
#ifndef SHMIPC_ERROR_H
#define SHMIPC_ERROR_H

#include "shmipc/shmipc.h"

/* Marks a function that few calls reach, and keeps it out of line. On the path between an answer
   and the next request, each call of a function and each skipped instruction costs time. */
#if defined(__GNUC__)
#define COLD __attribute__((cold, noinline))
#else
#define COLD
#endif

/* Records a failure of this thread: the system's code (0: no system call failed) and a sentence. */
COLD void shmi_record_failure(int os_error, const char *format, ...) SHMIPC_PRINTF_LIKE(2, 3);

/* For `return shmi_fail(code, "...", ...)`: records the failure and evaluates to the code. */
#define shmi_fail(code, ...) (shmi_record_failure(0, __VA_ARGS__), (code))
#define shmi_fail_os(code, os_error, ...) (shmi_record_failure(os_error, __VA_ARGS__), (code))

#endif
