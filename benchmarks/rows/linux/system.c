#include "rows/system.h"

#include "alternatives/unix_socket.h"
#include "limits/futex.h"

const struct named_row system_rows[] = {
    {"rtt", measure_rtt},
    {"learning", measure_learning},
    {"in_flight", measure_in_flight},
    {"threads", measure_threads},
    {"oversubscribed", measure_oversubscribed},
    {"mixed", measure_mixed},
    {"parallel", measure_parallel},
    {"parked", measure_parked},
    {"loop", measure_loop},
    {"idle", measure_idle},
    {"blocked", measure_blocked},
    {"copy", measure_copy},
    {"zero_copy", measure_zero_copy},
    {"slots", measure_slots},
    {"guest_calls", measure_guest_calls},
    {"create", measure_create},
    {"hosts", measure_hosts},
#ifdef BENCHMARKS_IN_CPP
    {"cpp", measure_cpp},
    {"flatbuffers", measure_flatbuffers},
#endif
    {"alternatives", measure_alternatives}, /* the last: Go's runtime comes into this process */
    {NULL, NULL},
};

size_t start_beside_parked(struct subject *subjects) {
    subjects[0] = unix_socket_start(SMALL);
    return 1;
}

size_t start_beside_parked_in_go(struct subject *subjects) {
    subjects[0] = unix_socket_start_go(SMALL);
    subjects[1] = futex_start_go();
    return 2;
}
