/*
 * Sleeping on a private word of this process: a list of sleepers, each with an event. Not
 * WaitOnAddress, since its time-outs are rounded to the tick.
 */
#include "platform/win32/sleep.h"

struct sleeper {
    struct sleeper *next;
    const atomic_u32 *word;
    HANDLE event;
    bool woken;
};

static SRWLOCK lock = SRWLOCK_INIT;
static struct sleeper *sleepers;

/* Compares under the lock, which a waker takes after it has changed the word: so no wake is
   lost. */
static bool join(struct sleeper *self, uint32_t expected) {
    AcquireSRWLockExclusive(&lock);
    bool joined = load_seq_cst32(self->word) == expected;
    if (joined) {
        self->next = sleepers;
        sleepers = self;
    }
    ReleaseSRWLockExclusive(&lock);
    return joined;
}

static void leave(const struct sleeper *self) {
    AcquireSRWLockExclusive(&lock);
    struct sleeper **link = &sleepers;
    while (*link != self)
        link = &(*link)->next;
    *link = self->next;
    ReleaseSRWLockExclusive(&lock);
}

void shmi_private_wait(atomic_u32 *word, uint32_t expected, uint64_t deadline) {
    struct sleeper self = {.word = word, .event = CreateEventW(NULL, FALSE, FALSE, NULL)};
    if (self.event == NULL) { /* out of handles: the caller looks again */
        Sleep(1);
        return;
    }
    if (join(&self, expected)) {
        (void)shmi_sleep_on_handles(&self.event, 1, deadline);
        leave(&self);
    }
    CloseHandle(self.event);
}

uint32_t shmi_private_wake(atomic_u32 *word, uint32_t count) {
    uint32_t woken = 0;
    AcquireSRWLockExclusive(&lock);
    for (struct sleeper *s = sleepers; s != NULL && woken < count; s = s->next) {
        if (s->word != word || s->woken)
            continue;
        s->woken = true;
        SetEvent(s->event);
        woken++;
    }
    ReleaseSRWLockExclusive(&lock);
    return woken;
}
