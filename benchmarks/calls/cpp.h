/* Calls through the headers of C++, in a region that C++ made: by call_into, which copies. */
#ifndef BENCHMARKS_CPP_H
#define BENCHMARKS_CPP_H

#include "pair.h"
#include "support/subject.h"

/* A region whose host is one of C++. */
struct cpp_pair;

struct cpp_pair *cpp_pair_start(struct pair_config config);
void cpp_pair_stop(struct cpp_pair *pair);

/* The same pair for calls in C. Not to be stopped. */
const struct pair *cpp_pair_in_c(const struct cpp_pair *pair);

/* As copying_start and copying_start_held, in C++. The pair must outlive the subject. */
struct subject cpp_start(struct cpp_pair *pair, const char *name, size_t bytes);
struct subject cpp_start_held(struct cpp_pair *pair, const char *name, size_t bytes);

#endif
