/*
 * The last failure of each thread: a code, the system's code, and a sentence. Called only where
 * something fails, so it costs a successful call nothing.
 */
#ifndef SHMIPC_ERROR_H
#define SHMIPC_ERROR_H

#include "shmipc/shmipc.h"

/* What few calls come to. It stays out of line, out of the way of all others: between an answer and
   the next request each function, and each instruction that is jumped over, is on a near call's
   way. */
#if defined(__GNUC__)
#define COLD __attribute__((cold, noinline))
#else
#define COLD
#endif

/* Records a failure of this thread: the system's code, 0 if it had no part in it, and a sentence.
   */
COLD void shmi_record_failure(int os_error, const char *format, ...) SHMIPC_PRINTF_LIKE(2, 3);

/* For `return shmi_fail(code, "...", ...)`: records the failure; its value is the code. */
#define shmi_fail(code, ...) (shmi_record_failure(0, __VA_ARGS__), (code))
#define shmi_fail_os(code, os_error, ...) (shmi_record_failure(os_error, __VA_ARGS__), (code))

#endif
