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

static struct subject beside(struct subject subject) {
    subject.label.variant = "beside the alternatives";
    return subject;
}

static void measure_size(size_t bytes, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct pair_config config = {.capacity = 65536};
    struct pair c = pair_start((config.guest = "c", config));
    struct pair go = pair_start((config.guest = "go", config));
    struct subject subjects[] = {
        beside(lines_start(1)),
        beside(copying_start(&c, "rtt", bytes)),
        beside(copying_start(&go, "rtt", bytes)),
        unix_socket_start(bytes),
        pipe_start(bytes),
        semaphore_start(bytes),
        remote_start("net_rpc", "bench_netrpc", bytes),
        remote_start("grpc", "bench_grpc", bytes),
    };
    emit_all(subjects, sizeof subjects / sizeof *subjects, &plan);
    pair_stop(&c);
    pair_stop(&go);
}

/* By itself: there is no other process, and the Go runtime comes into this one. */
static void measure_inprocess(size_t bytes, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct subject subjects[] = {lines_start(1), inprocess_start(bytes)};
    subjects[0].label.variant = "beside cgo";
    emit_all(subjects, sizeof subjects / sizeof *subjects, &plan);
}

void measure_alternatives(const struct effort *effort) {
    measure_size(SMALL, effort);
    if (!effort->quick)
        measure_size(4096, effort);
    measure_inprocess(SMALL, effort);
    if (!effort->quick)
        measure_inprocess(4096, effort);
}
