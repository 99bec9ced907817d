#include "rouse.h"

#include "slot.h"

/* A caller that waits for several joins the sleepers before it sets PARKED, so whoever saw PARKED
   sees the sleeper. */
void shmi_rouse_caller(const struct region *r, uint32_t index, uint32_t caller) {
    struct doorbell answers = region_answers(r, caller);
    (void)shmi_word_wake(r->object, shmi_slot_futex(region_slot(r, index)), WAKE_ALL);
    if (doorbell_has_sleepers(&answers))
        (void)shmi_doorbell_ring(&answers, WAKE_ALL);
}
