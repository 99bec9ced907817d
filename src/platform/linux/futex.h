/*
 * The futex operations that the library uses. The numbers are part of the kernel's interface (its
 * uapi/linux/futex.h), but a C library such as musl comes without the kernel's headers.
 */
#ifndef SHMIPC_PLATFORM_LINUX_FUTEX_H
#define SHMIPC_PLATFORM_LINUX_FUTEX_H

#include <stdint.h>

enum futex_operation { FUTEX_WAKE = 1, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET = 10 };

#define FUTEX_BITSET_MATCH_ANY UINT32_MAX

#endif
