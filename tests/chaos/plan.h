/* What is done to the processes of a scene, in which order: it follows from a seed alone. */
#ifndef SHMIPC_TESTS_CHAOS_PLAN_H
#define SHMIPC_TESTS_CHAOS_PLAN_H

#include "chaos/chance.h"

#include <stdbool.h>
#include <stddef.h>

enum act_kind {
    ACT_KILL,
    ACT_STOP,            /* and continue, after a pause */
    ACT_KILL_STOPPED,    /* stop, and kill after a pause */
    ACT_KILL_BESIDE,     /* stop, kill the next guest, continue after a pause */
    ACT_KILL_ALL_GUESTS, /* but the spared one */
    ACT_LEAVE,           /* in order, and come back */
    ACT_LEAVE_STOPPED,   /* the same while the other side, host or guests, is stopped */
    ACT_MUSTER,          /* everybody is quiet, and proves that no slot is lost */
    ACT_KINDS
};

struct act {
    enum act_kind kind;
    unsigned victim;   /* 0: the host; else a guest */
    uint32_t delay_us; /* before it */
    uint32_t pause_us; /* until a victim goes on, or another takes its place */
    bool removes;      /* a dead host's region is removed before the next host comes */
};

struct plan {
    struct chance chance;
    unsigned guests;
    bool hosts; /* they are killed and leave too, and the first guest is not killed */
};

struct plan plan_of(uint64_t seed, unsigned guests, bool hosts);
struct act plan_next(struct plan *plan);

void act_describe(const struct act *act, char *text, size_t size);

#endif
