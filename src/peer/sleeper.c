#include "peer/sleeper.h"

/* May run in a signal handler, and in a forked child, which cannot enter. A closing peer wakes all
   its threads anyway. */
static void wake(void *context) {
    const struct sleeper *s = context;
    if (!shmi_peer_try_enter(s->peer))
        return;
    shmi_peer_notify(s->peer, s->eventcount, WAKE_ALL);
    shmi_peer_leave(s->peer);
}

void shmi_sleeper_begin(struct sleeper *s, shmipc_peer *p, struct local_eventcount *eventcount) {
    *s = (struct sleeper){.peer = p,
                          .eventcount = eventcount,
                          .token = shmi_stop_of_thread(),
                          .waiter = {.wake = wake, .context = s}};
    shmi_stop_join(s->token, &s->waiter);
}

void shmi_sleeper_end(struct sleeper *s) {
    shmi_stop_leave(s->token, &s->waiter);
}
