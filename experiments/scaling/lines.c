#include "lines.h"

#include "processors.h"

#define LINE ((size_t)64)

enum { LINES = 32768 };

struct line {
    uint64_t holders; /* a set of processors; one that changes it is alone */
    ps ready_at;      /* when the transfer under way is over */
    uint32_t owner;   /* who changed it last */
};

static struct {
    _Alignas(2 * LINE) unsigned char memory[LINES * LINE];
    struct line lines[LINES];
    size_t used;
} arena;

void *lines_allocate(size_t size) {
    size_t begin = arena.used;
    size_t whole = (size + 2 * LINE - 1) / (2 * LINE) * (2 * LINE);
    if (whole > sizeof arena.memory - begin)
        return NULL;
    arena.used += whole;
    return arena.memory + begin;
}

static struct line *line_of(const void *address) {
    uintptr_t offset = (uintptr_t)address - (uintptr_t)arena.memory;
    return offset < sizeof arena.memory ? &arena.lines[offset / LINE] : NULL;
}

static uint64_t bit_of(uint32_t processor) {
    return UINT64_C(1) << processor;
}

static ps distance(uint32_t one, uint32_t other) {
    const struct costs *c = processors_costs();
    return ps_of(processors_are_near(one, other) ? c->near : c->far);
}

/* All who hold the line have to give it up: the farthest of them decides. */
static ps distance_to_all(const struct line *l, uint32_t here) {
    const struct costs *c = processors_costs();
    uint64_t others = l->holders & ~bit_of(here);
    for (uint32_t i = 0; others != 0; i++, others >>= 1) {
        if ((others & 1) != 0 && !processors_are_near(i, here))
            return ps_of(c->far);
    }
    return ps_of(c->near);
}

static ps later(ps one, ps other) {
    return one > other ? one : other;
}

/* Begins to have the line brought for writing. */
static void claim(struct line *l) {
    const uint32_t here = processors_here();
    if (l->holders == bit_of(here))
        return;
    l->ready_at = later(processors_now(), l->ready_at) + distance_to_all(l, here);
    l->holders = bit_of(here);
    l->owner = here;
}

void lines_look(const void *address) {
    const struct costs *c = processors_costs();
    struct line *l = line_of(address);
    processors_spend(ps_of(c->look));
    if (l == NULL || processors_are_outside())
        return;
    processors_sync();
    const uint32_t here = processors_here();
    if ((l->holders & bit_of(here)) != 0 && l->ready_at <= processors_now())
        return;
    if ((l->holders & bit_of(here)) != 0) {
        processors_reach(l->ready_at);
    } else {
        ps begin = later(processors_now(), l->ready_at);
        ps takes = distance(here, l->owner);
        l->holders |= bit_of(here);
        l->ready_at = begin + (ps)((double)takes * c->overlap);
        processors_reach(begin + takes);
    }
    processors_sync();
}

void lines_expect(const void *address) {
    struct line *l = line_of(address);
    processors_spend(ps_of(processors_costs()->look));
    if (l == NULL || processors_are_outside())
        return;
    processors_sync();
    claim(l);
}

void lines_store(const void *address) {
    lines_expect(address);
}

void lines_change(const void *address) {
    struct line *l = line_of(address);
    processors_spend(ps_of(processors_costs()->locked));
    if (l == NULL || processors_are_outside())
        return;
    processors_sync();
    claim(l);
    if (l->ready_at > processors_now()) {
        processors_reach(l->ready_at);
        processors_sync();
    }
}
