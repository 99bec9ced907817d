/* What a user would take instead, where both ends are programs in Go: net/rpc, gRPC. The calling end
   makes the round trips and keeps the time, see ../go/blocks. */
#ifndef BENCHMARKS_REMOTE_H
#define BENCHMARKS_REMOTE_H

#include "support/subject.h"

/* `program` is started twice: to serve and to call. */
struct subject remote_start(const char *name, const char *program, size_t bytes);

#endif
