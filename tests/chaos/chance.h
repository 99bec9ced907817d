/* Draws that follow from a seed. */
#ifndef SHMIPC_TESTS_CHAOS_CHANCE_H
#define SHMIPC_TESTS_CHAOS_CHANCE_H

#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance) {
    uint64_t mixed = chance->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* Of one seed, a sequence for each `which`. */
static inline struct chance chance_of(uint64_t seed, uint64_t which) {
    struct chance chance = {.state = seed};
    chance.state = chance_next(&chance) + which;
    chance.state = chance_next(&chance);
    return chance;
}

/* 0 to below - 1 */
static inline uint32_t draw_from(struct chance *chance, uint32_t below) {
    return (uint32_t)((chance_next(chance) >> 32) * below >> 32);
}

#endif
