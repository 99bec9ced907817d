#include "chaos/plan.h"

#include <stdio.h>

struct plan plan_of(uint64_t seed, unsigned guests, bool hosts) {
    return (struct plan){.chance = chance_of(seed, hosts), .guests = guests, .hosts = hosts};
}

/* Of eleven. */
static enum act_kind some_kind(struct chance *chance) {
    static const enum act_kind kinds[] = {
        ACT_KILL,         ACT_KILL,  ACT_KILL,  ACT_STOP,          ACT_STOP,
        ACT_KILL_STOPPED, ACT_LEAVE, ACT_LEAVE, ACT_LEAVE_STOPPED, ACT_KILL_ALL_GUESTS,
        ACT_KILL_BESIDE};
    return draw_from(chance, 16) == 0 ? ACT_MUSTER : kinds[draw_from(chance, 11)];
}

static uint32_t some_time(struct chance *chance, uint32_t most_us) {
    uint32_t kind = draw_from(chance, 3);
    if (kind == 0)
        return 0;
    return draw_from(chance, kind == 1 ? most_us / 50 : most_us);
}

/* A host that stays is stopped, and nothing else; the spared guest is not killed. */
static unsigned some_victim(struct plan *plan, enum act_kind kind) {
    bool host = draw_from(&plan->chance, 4) == 0;
    unsigned guest = 1 + draw_from(&plan->chance, plan->guests);
    if (host && (plan->hosts || kind == ACT_STOP || kind == ACT_KILL_BESIDE))
        return 0;
    bool kills = kind == ACT_KILL || kind == ACT_KILL_STOPPED;
    return plan->hosts && kills && guest == 1 ? 2 : guest;
}

struct act plan_next(struct plan *plan) {
    struct act act;
    act.kind = some_kind(&plan->chance);
    act.victim = some_victim(plan, act.kind);
    act.delay_us = some_time(&plan->chance, 15000);
    act.pause_us = some_time(&plan->chance, act.kind == ACT_STOP ? 300000 : 60000);
    act.removes = draw_from(&plan->chance, 2) == 0;
    return act;
}

void act_describe(const struct act *act, char *text, size_t size) {
    static const char *const names[ACT_KINDS] = {"kill",
                                                 "stop",
                                                 "stop and kill",
                                                 "stop, and kill the next one",
                                                 "kill all guests",
                                                 "have it leave",
                                                 "stop the other side, and have it leave",
                                                 "muster"};
    (void)snprintf(text, size, "%s: process %u, after %u us, pause %u us%s", names[act->kind],
                   act->victim, (unsigned)act->delay_us, (unsigned)act->pause_us,
                   act->removes ? ", remove" : "");
}
