#include "threads.h"

#include "copying.h"
#include "crew.h"
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
    struct subject members[MOST];
    for (unsigned i = 0; i < checked(threads); i++)
        members[i] = copying_start(pair, name, bytes);
    return crew_start(members, threads);
}

struct subject threads_start_jobs(const struct pair *pair, const char *name, size_t bytes,
                                  unsigned threads, struct job job) {
    struct subject members[MOST];
    for (unsigned i = 0; i < checked(threads); i++)
        members[i] = jobs_start(pair, name, bytes, job);
    return crew_start(members, threads);
}
