#include "threads.h"

#include "callers.h"
#include "copying.h"
#include "requests.h"
#include "support/child.h"

enum { MOST = 64 };

static unsigned checked(unsigned threads) {
    if (threads > MOST)
        die("too many threads");
    return threads;
}

struct subject threads_start(const struct pair *pair, const char *name, size_t bytes,
                             unsigned threads) {
    struct subject callers[MOST];
    for (unsigned i = 0; i < checked(threads); i++)
        callers[i] = copying_start(pair, name, bytes);
    return callers_start(callers, threads);
}

struct subject threads_start_jobs(const struct pair *pair, const char *name, size_t bytes,
                                  unsigned threads, struct job job) {
    struct subject callers[MOST];
    for (unsigned i = 0; i < checked(threads); i++)
        callers[i] = jobs_start(pair, name, bytes, job);
    return callers_start(callers, threads);
}
