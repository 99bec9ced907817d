/*
 * Included before everything else, this makes each atomic operation of the library a step at which
 * explore.c may go on with another thread. Relaxed ones are left out: they order nothing, and the
 * library uses them for hints and for what a slot's owner has alone.
 */
#ifndef SHMIPC_TESTS_STEPS_H
#define SHMIPC_TESTS_STEPS_H

#include "base/atomic.h"

void explore_step(void);

#define load_acquire32(word) (explore_step(), load_acquire32(word))
#define load_acquire64(word) (explore_step(), load_acquire64(word))
#define load_seq_cst32(word) (explore_step(), load_seq_cst32(word))
#define load_seq_cst64(word) (explore_step(), load_seq_cst64(word))
#define store_release32(word, value) (explore_step(), store_release32(word, value))
#define exchange_seq_cst32(word, value) (explore_step(), exchange_seq_cst32(word, value))
#define exchange_seq_cst64(word, value) (explore_step(), exchange_seq_cst64(word, value))
#define cas_acquire64(word, seen, value) (explore_step(), cas_acquire64(word, seen, value))
#define cas_acq_rel64(word, seen, value) (explore_step(), cas_acq_rel64(word, seen, value))
#define cas_seq_cst32(word, seen, value) (explore_step(), cas_seq_cst32(word, seen, value))
#define cas_seq_cst64(word, seen, value) (explore_step(), cas_seq_cst64(word, seen, value))
#define add_seq_cst32(word, value) (explore_step(), add_seq_cst32(word, value))
#define or_seq_cst32(word, value) (explore_step(), or_seq_cst32(word, value))
#define and_seq_cst32(word, value) (explore_step(), and_seq_cst32(word, value))

#endif
