#include "serve/sentry.h"

#include "serve/poller.h"

static bool change(shmipc_peer *p, uint32_t from, uint32_t to) {
    return cas_seq_cst32(&p->serving.sentry, &from, to);
}

void shmi_sentry_call(shmipc_peer *p) {
    if (change(p, SENTRY_IN_DOUBT, SENTRY_CONTENT) || !change(p, SENTRY_ABSENT, SENTRY_CALLED))
        return;
    shmi_eventcount_notify_own(&p->serves.requests, p->index);
    add_relaxed64(&p->wakes);
}

void shmi_sentry_miss(shmipc_peer *p) {
    if (load_relaxed32(&p->serving.sentry) == SENTRY_CALLED)
        (void)change(p, SENTRY_CALLED, SENTRY_ABSENT);
}

void shmi_sentry_join(shmipc_peer *p, struct sentry *s) {
    if (s->is_on_duty)
        return;
    s->quiet = 0;
    s->look_at = shmi_clock_now() + SENTRY_TICK_NS;
    s->is_on_duty = change(p, SENTRY_CALLED, SENTRY_CONTENT) ||
                    (poller_exists(p) && change(p, SENTRY_ABSENT, SENTRY_CONTENT));
}

void shmi_sentry_leave(shmipc_peer *p, struct sentry *s) {
    if (s->is_on_duty)
        exchange_seq_cst32(&p->serving.sentry, SENTRY_ABSENT);
    else
        shmi_sentry_miss(p);
    s->is_on_duty = false;
}

/* A worker announces that it polls, then takes a request and looks for a sentry; the sentry leaves,
   then looks for a poller. So at least one of the two sees the other. */
static void leave_unless_needed(shmipc_peer *p, struct sentry *s) {
    shmi_sentry_leave(p, s);
    shmi_sentry_join(p, s);
}

bool shmi_sentry_look(shmipc_peer *p, struct sentry *s) {
    uint64_t now = shmi_clock_now();
    if (!s->is_on_duty || now < s->look_at)
        return false;
    s->look_at = now + SENTRY_TICK_NS;
    if (poller_exists(p)) {
        s->quiet = 0;
        return !change(p, SENTRY_CONTENT, SENTRY_IN_DOUBT);
    }
    (void)change(p, SENTRY_IN_DOUBT, SENTRY_CONTENT);
    if (++s->quiet >= QUIET_LOOKS)
        leave_unless_needed(p, s);
    return false;
}

void shmi_sentry_resign(shmipc_peer *p, struct sentry *s) {
    const bool is_missed = s->is_on_duty || load_relaxed32(&p->serving.sentry) == SENTRY_CALLED;
    shmi_sentry_leave(p, s);
    if (is_missed)
        shmi_sentry_call(p);
}
