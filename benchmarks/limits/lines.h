/*
 * The bare limit of this machine: cache lines that two processes hand to each other while both
 * spin, and nothing else. With one line, one word travels there and back: no call can be faster.
 * How often the two look matters: each look takes the line away from the side that wants to write
 * to it. So some numbers of pauses between two looks are tried in each block, and the fastest is
 * taken. With n lines, n lines are written before the word and read after it, both ways.
 */
#ifndef BENCHMARKS_LINES_H
#define BENCHMARKS_LINES_H

#include "support/partner.h"
#include "support/subject.h"

/* `lines` includes the word's own. */
struct subject lines_start(unsigned lines);

extern const struct role lines_role;

#endif
