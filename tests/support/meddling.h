/*
 * Included before everything else, this simulates a peer that changes a word just before each
 * change of it by the library.
 */
#ifndef SHMIPC_TESTS_MEDDLING_H
#define SHMIPC_TESTS_MEDDLING_H

#include "base/atomic.h"

void meddle(const atomic_u64 *place, uint64_t expected);

#define cas_seq_cst64(word, seen, value) (meddle(word, *(seen)), cas_seq_cst64(word, seen, value))

#endif
