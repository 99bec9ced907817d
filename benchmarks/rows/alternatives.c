/* What a user would take instead, beside calls in C and in Go, all against one word on one line. */
#include "rows.h"

#include "alternatives/inprocess.h"
#include "alternatives/pipe.h"
#include "alternatives/posix_semaphore.h"
#include "alternatives/remote.h"
#include "alternatives/unix_socket.h"
#include "calls/copying.h"
#include "limits/lines.h"
#include "support/clock.h"

enum { CAPACITY = 65536 };

static struct subject beside(struct subject subject) {
    subject.label.variant = "beside the alternatives";
    return subject;
}

struct remotes {
    struct pairs pairs;
    size_t bytes;
};

static size_t set_up_remotes(void *remotes, struct subject *subjects) {
    struct remotes *r = remotes;
    size_t n = 0;
    r->pairs = pairs_start((struct pair_config){.capacity = CAPACITY});
    subjects[n++] = beside(lines_start(1));
    subjects[n++] = beside(copying_start(&r->pairs.c, "rtt", r->bytes));
    subjects[n++] = beside(copying_start(&r->pairs.go, "rtt", r->bytes));
    subjects[n++] = unix_socket_start(r->bytes);
    subjects[n++] = unix_socket_start_go(r->bytes);
    subjects[n++] = pipe_start(r->bytes);
    subjects[n++] = semaphore_start(r->bytes);
    subjects[n++] = remote_start("net_rpc", "bench_netrpc", r->bytes);
    subjects[n++] = remote_start("grpc", "bench_grpc", r->bytes);
    return n;
}

static void stop_pairs(void *remotes) {
    struct remotes *r = remotes;
    pairs_stop(&r->pairs);
}

static void measure_size(size_t bytes, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct remotes remotes = {.bytes = bytes};
    emit_scenes(&(struct scene){set_up_remotes, stop_pairs, &remotes}, &plan);
}

/* By itself: there is no other process, and the Go runtime comes into this one. */
static size_t set_up_inprocess(void *bytes, struct subject *subjects) {
    subjects[0] = lines_start(1);
    subjects[0].label.variant = "beside cgo";
    subjects[1] = inprocess_start(*(size_t *)bytes);
    return 2;
}

static void measure_inprocess(size_t bytes, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    emit_scenes(&(struct scene){set_up_inprocess, NULL, &bytes}, &plan);
}

void measure_alternatives(const struct effort *effort) {
    measure_size(SMALL, effort);
    if (!effort->quick)
        measure_size(4096, effort);
    measure_inprocess(SMALL, effort);
    if (!effort->quick)
        measure_inprocess(4096, effort);
}
