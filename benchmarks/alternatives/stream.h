/* Round trips over two file descriptors, which may be the same. */
#ifndef BENCHMARKS_STREAM_H
#define BENCHMARKS_STREAM_H

#include "support/subject.h"

/* The caller writes to ours[1] and reads from ours[0]; the partner, a child, does with `theirs`: in
   C, or, if `program` is not NULL, that one, in Go, with theirs[0] for its standard input and the
   number of bytes for its argument. Takes over the files, which are closed on exec. */
struct subject stream_start(const char *name, char *program, size_t bytes, const int ours[2],
                            const int theirs[2]);

#endif
