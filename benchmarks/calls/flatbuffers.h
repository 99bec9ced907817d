/* Calls whose request and answer are FlatBuffers of the same size, built and verified each time. */
#ifndef BENCHMARKS_FLATBUFFERS_H
#define BENCHMARKS_FLATBUFFERS_H

#include "cpp.h"

/* The program of a guest that answers them. */
#define FLATBUFFERS_GUEST "bench_flatbuffers"

/* Built in the slot's buffer, and by the guest in the response buffer; verified where it lies. */
struct subject flatbuffers_start_in_place(struct cpp_pair *pair, size_t bytes);

/* Built in memory of its own on either side, and copied; verified in a copy. */
struct subject flatbuffers_start_copied(struct cpp_pair *pair, size_t bytes);

#endif
