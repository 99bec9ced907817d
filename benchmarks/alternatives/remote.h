/*
 * Round trips whose calling end is a program in Go: what a user would take instead, net/rpc or
 * gRPC, or a guest that calls its host. That program makes the round trips and keeps the time, see
 * ../go/blocks.
 */
#ifndef BENCHMARKS_REMOTE_H
#define BENCHMARKS_REMOTE_H

#include "support/subject.h"

/* `program` is started twice: to serve and to call. */
struct subject remote_start(const char *name, const char *program, size_t bytes);

/* A guest in Go that calls the host of the region `region`, in a slot of the pool or a held one. */
struct subject remote_guest_start(const char *region, size_t bytes, bool held);

#endif
