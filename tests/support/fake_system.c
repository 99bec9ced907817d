#include "support/fake_system.h"

#include "support/fixture.h"

#include "platform/platform.h"

struct fake_system fake;

/* Named for the linker, which puts them in place of the system's. */
uint64_t fake_clock_now(void) __asm__("__wrap_shmi_clock_now");
uint32_t fake_cpu_count(void) __asm__("__wrap_shmi_cpu_count");
void fake_cpu_yield(void) __asm__("__wrap_shmi_cpu_yield");
bool fake_word_wait(struct object *object, atomic_u32 *address, uint32_t expected,
                    uint64_t deadline, uint32_t home) __asm__("__wrap_shmi_word_wait");

uint64_t fake_clock_now(void) {
    fake.looks++;
    fake.now += fake.per_look;
    return fake.now;
}

uint32_t fake_cpu_count(void) {
    return fake.processors;
}

void fake_cpu_yield(void) {
    fake.yields++;
    if (fake.answerer)
        must_equal(shmipc_poll(fake.answerer, echo_handler, NULL), 1);
}

bool fake_word_wait(struct object *object, atomic_u32 *address, uint32_t expected,
                    uint64_t deadline, uint32_t home) {
    (void)object;
    (void)home;
    must(deadline != CLOCK_NEVER);
    must_equal(load_relaxed32(address), expected);
    fake.sleeps++;
    fake.until = deadline;
    if (fake.during_sleep) {
        fake.during_sleep();
        return false;
    }
    if (fake.wake_instead > 0) {
        fake.wake_instead--;
        return false;
    }
    if (deadline <= fake.now)
        return false;
    if (deadline - fake.now > fake.longest)
        fake.longest = deadline - fake.now;
    fake.now = deadline;
    return false;
}

int fake_system(void **state) {
    fake = (struct fake_system){.now = 1000 * (uint64_t)SECOND, .processors = 2};
    return watched_setup(state);
}
