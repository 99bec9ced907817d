/* What a user would take instead of calls from an epoll loop: a Unix socket in it, with several
   messages in flight, and a process that answers them in turn. */
#ifndef BENCHMARKS_SOCKET_LOOP_H
#define BENCHMARKS_SOCKET_LOOP_H

#include "support/subject.h"

/* `guest` is "c" or "go": the language of the process that answers. */
struct subject socket_loop_start(const char *guest, size_t bytes, unsigned in_flight);

#endif
