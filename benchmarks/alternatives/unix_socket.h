/* What a user would take instead: a stream socket, a process that reads and writes on each end. */
#ifndef BENCHMARKS_UNIX_SOCKET_H
#define BENCHMARKS_UNIX_SOCKET_H

#include "support/subject.h"

struct subject unix_socket_start(size_t bytes);

/* The same with a process in Go that answers. */
struct subject unix_socket_start_go(size_t bytes);

#endif
