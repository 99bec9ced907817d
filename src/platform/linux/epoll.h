/*
 * Instances of epoll, and timers in them, that stand for several descriptors by one.
 */
#ifndef SHMIPC_EPOLL_H
#define SHMIPC_EPOLL_H

#include <stdbool.h>
#include <stdint.h>

/* Both for shmi_descriptor_make. */
int shmi_epoll_create(const void *context);
int shmi_timer_create(const void *context);

bool shmi_epoll_add(int epoll, int fd);

/* All instances of epoll, and all timers, share one inode. But a descriptor that an instance knows
   is the very one that was added: what is asked for is what holds already. */
bool shmi_epoll_knows(int epoll, int fd);

/* The timer is readable from `until` (shmi_clock_now) on, and not before. CLOCK_NEVER: never. */
bool shmi_timer_set(int timer, uint64_t until);

#endif
