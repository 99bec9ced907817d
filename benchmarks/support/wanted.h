/* Which rows are wanted of those that a name stands for: the guest, the variant and the threads
   that the command line asks for. */
#ifndef BENCHMARKS_WANTED_H
#define BENCHMARKS_WANTED_H

#include "subject.h"

/* Each narrows what is wanted. */
void want_guest(const char *guest);
void want_variants_with(const char *text); /* anywhere in the variant */
void want_threads(unsigned threads);

bool is_label_wanted(const struct label *label);

/* Stops the subjects that are not wanted, and returns how many are left: 0 if there is nothing but
   the limit, the first one, which stays otherwise. */
size_t keep_wanted(struct subject *subjects, size_t count);

#endif
