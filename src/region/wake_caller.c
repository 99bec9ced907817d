#include "region/wake_caller.h"

#include "region/slot.h"

/* A caller that waits for one of several answers joins the sleepers, sets PARKED or finds it set,
   then looks at the word. A waker changes the word, then reads the sleepers. All is seq_cst. */
void shmi_wake_caller(const struct region *r, uint32_t index, uint32_t caller) {
    struct local_eventcount answers = region_answers(r, caller);
    (void)shmi_word_wake(r->object, shmi_slot_futex(region_slot(r, index)), WAKE_ALL);
    if (eventcount_has_sleepers(&answers))
        (void)shmi_eventcount_notify(&answers, WAKE_ALL);
}
