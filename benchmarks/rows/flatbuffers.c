/* FlatBuffers to a guest in Go and back: in place, copied, and beside as many bytes by gRPC;
   against one word on one line. */
#include "rows.h"

#include "alternatives/remote.h"
#include "calls/copying.h"
#include "calls/flatbuffers.h"
#include "limits/lines.h"

enum { CAPACITY = 65536 };

struct region {
    struct cpp_pair *pair;
    size_t bytes;
};

static size_t set_up(void *region, struct subject *subjects) {
    struct region *r = region;
    size_t n = 0;
    r->pair = cpp_pair_start(
        (struct pair_config){.guest = "go", .program = FLATBUFFERS_GUEST, .capacity = CAPACITY});
    subjects[n++] = lines_start(1);
    subjects[n++] = flatbuffers_start_in_place(r->pair, r->bytes);
    subjects[n++] = flatbuffers_start_copied(r->pair, r->bytes);
    subjects[n] = copying_start(cpp_pair_in_c(r->pair), "flatbuffers", r->bytes);
    subjects[n++].label.variant = "bytes alone, copied";
    subjects[n] = remote_start("flatbuffers", "bench_grpc", r->bytes);
    subjects[n++].label.variant = "bytes alone, gRPC";
    return n;
}

static void take_down(void *region) {
    const struct region *r = region;
    cpp_pair_stop(r->pair);
}

void measure_flatbuffers(const struct effort *effort) {
    static const size_t sizes[] = {100, 10240};
    struct plan plan = short_blocks(effort);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct region region = {.bytes = sizes[i]};
        emit_scenes(&(struct scene){set_up, take_down, &region}, &plan);
    }
}
