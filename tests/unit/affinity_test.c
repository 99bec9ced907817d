#define _GNU_SOURCE
#include "support/fixture.h"

#include <sched.h>
#include <string.h>

static void *pin_to_each(void *context) {
    cpu_set_t before;
    (void)context;
    must_equal(sched_getaffinity(0, sizeof before, &before), 0);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        cpu_set_t now;
        if (!CPU_ISSET(cpu, &before))
            continue;
        must_equal(shmipc_pin_thread(cpu), SHMIPC_OK);
        must_equal(sched_getcpu(), cpu);
        must_equal(sched_getaffinity(0, sizeof now, &now), 0);
        must_equal(CPU_COUNT(&now), 1);
        must(CPU_ISSET(cpu, &now));
    }
    return NULL;
}

static void a_thread_is_bound_to_the_processor_it_names(void **state) {
    cpu_set_t before;
    cpu_set_t after;
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    thread_join(thread_start(pin_to_each, NULL));
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
}

static void a_processor_that_is_not_there_is_refused(void **state) {
    (void)state;
    const uint32_t absent[] = {CPU_SETSIZE - 1, CPU_SETSIZE, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(shmipc_pin_thread(absent[i]), SHMIPC_E_INVALID);
        assert_non_null(strstr(shmipc_last_error(), "processor"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_thread_is_bound_to_the_processor_it_names),
        watched_test(a_processor_that_is_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
