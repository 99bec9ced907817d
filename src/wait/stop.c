#include "wait/stop.h"

#include "base/thread.h"
#include "platform/platform.h"

#include <errno.h>

static bool try_lock(struct stop *s) {
    uint32_t open = 0;
    return cas_seq_cst32(&s->lock, &open, 1);
}

static void lock(struct stop *s) {
    while (!try_lock(s))
        shmi_cpu_yield();
}

static void wake_each(const struct stop *s) {
    for (const struct stop_waiter *w = s->first; w != NULL; w = w->next)
        w->wake(w->context);
}

/* Either the trigger or the thread with the lock wakes the waiters: the trigger stores `untold`,
   then tries the lock; the other drops the lock, then reads `untold`; all of it is seq_cst. */
static void tell(struct stop *s) {
    while (load_seq_cst32(&s->untold) != 0 && try_lock(s)) {
        exchange_seq_cst32(&s->untold, 0);
        wake_each(s);
        exchange_seq_cst32(&s->lock, 0);
    }
}

static void unlock(struct stop *s) {
    exchange_seq_cst32(&s->lock, 0);
    tell(s);
}

void shmi_stop_join(shmipc_stop_token *token, struct stop_waiter *waiter) {
    if (token == NULL)
        return;
    struct stop *s = stop_of(token);
    lock(s);
    waiter->next = s->first;
    waiter->link = &s->first;
    if (s->first != NULL)
        s->first->link = &waiter->next;
    s->first = waiter;
    unlock(s);
}

void shmi_stop_leave(shmipc_stop_token *token, struct stop_waiter *waiter) {
    if (token == NULL)
        return;
    struct stop *s = stop_of(token);
    lock(s);
    *waiter->link = waiter->next;
    if (waiter->next != NULL)
        waiter->next->link = waiter->link;
    unlock(s);
}

void shmipc_stop(shmipc_stop_token *token) {
    const int before = errno;
    if (token == NULL)
        return;
    struct stop *s = stop_of(token);
    exchange_seq_cst32(&s->stopped, 1);
    exchange_seq_cst32(&s->untold, 1);
    tell(s);
    errno = before;
}

shmipc_stop_token *shmi_stop_of_thread(void) {
    return shmi_thread_state()->stop;
}

shmipc_stop_token *shmipc_set_thread_token(shmipc_stop_token *token) {
    struct thread_state *thread = shmi_thread_state();
    shmipc_stop_token *before = thread->stop;
    thread->stop = token;
    return before;
}

int shmipc_stopped(const shmipc_stop_token *token) {
    return token != NULL &&
           load_acquire32(&((const struct stop *)(const void *)token)->stopped) != 0;
}
