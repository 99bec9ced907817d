#include "threads.h"

#include "copying.h"
#include "crew.h"
#include "support/child.h"

#include <stdlib.h>

struct subject threads_start(const struct pair *pair, size_t bytes, unsigned threads) {
    struct subject *members = calloc(threads, sizeof *members);
    if (!members)
        die("memory");
    for (unsigned i = 0; i < threads; i++)
        members[i] = copying_start(pair, "threads", bytes);
    struct subject crew = crew_start(members, threads);
    free(members);
    return crew;
}
