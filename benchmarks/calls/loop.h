/*
 * Calls from an epoll loop, several in flight: the thread sleeps in the loop until one is answered.
 * The loop learns of it by the peer's descriptor; by the same after a spin, as long as the library
 * would spin before it sleeps; or by a thread that waits in shmipc_slot_wait_any and writes to an
 * eventfd.
 */
#ifndef BENCHMARKS_LOOP_H
#define BENCHMARKS_LOOP_H

#include "pair.h"
#include "support/subject.h"

/* The pair must outlive the subject, has as many slots as there are calls in flight, and no other
   subject. */
struct subject loop_start_descriptor(const struct pair *pair, size_t bytes, unsigned in_flight);
struct subject loop_start_spinning(const struct pair *pair, size_t bytes, unsigned in_flight);
struct subject loop_start_thread(const struct pair *pair, size_t bytes, unsigned in_flight);

#endif
