#define _GNU_SOURCE
#include "chaos/holding.h"

#include <dirent.h>

enum { DESCRIPTORS, THREADS, MAPPINGS, KINDS };

struct holding {
    int counts[KINDS];
};

static int count_threads(void) {
    int count = 0;
    DIR *entries = opendir("/proc/self/task");
    must(entries != NULL);
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries))
        count += entry->d_name[0] != '.';
    (void)closedir(entries);
    return count;
}

static struct holding count(struct post *post) {
    struct holding now = {.counts = {count_descriptors(), count_threads(), count_mappings()}};
    for (int kind = 0; kind < KINDS; kind++)
        atomic_store(&post->holding[kind], (uint32_t)now.counts[kind]);
    return now;
}

static bool is_more(const struct holding *now, const struct holding *first) {
    for (int kind = 0; kind < KINDS; kind++) {
        if (now->counts[kind] > first->counts[kind])
            return true;
    }
    return false;
}

/* A thread that was joined, and the lock file of one that died, may be seen for a little longer. */
static void compare(struct post *post, const struct holding *first) {
    uint64_t patience = now_ns() + 5 * (uint64_t)SECOND;
    struct holding now = count(post);
    while (is_more(&now, first) && now_ns() < patience) {
        pause_briefly();
        now = count(post);
    }
    if (is_more(&now, first))
        (void)post_fault(post, "holds %d descriptors, %d threads, %d mappings; first %d, %d, %d",
                         now.counts[DESCRIPTORS], now.counts[THREADS], now.counts[MAPPINGS],
                         first->counts[DESCRIPTORS], first->counts[THREADS],
                         first->counts[MAPPINGS]);
}

void holding_check(struct post *post, enum holding_when when) {
    static struct holding first[HOLDING_WHENS];
    static bool known[HOLDING_WHENS];
    if (known[when])
        compare(post, &first[when]);
    else
        first[when] = count(post);
    known[when] = true;
    if (when == HOLDING_NOTHING)
        known[HOLDING_QUIET] = false;
}
