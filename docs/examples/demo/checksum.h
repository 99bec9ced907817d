/* Checks the guest's digests by a program or library that has nothing to do with either. */
#ifndef DEMO_CHECKSUM_H
#define DEMO_CHECKSUM_H

#include "tree.h"

extern const char *const digest_program; /* its name */

/* Computes the digests of the files that are FILE_ANSWERED anew and makes them FILE_OK,
   FILE_CHANGED or FILE_WRONG. Returns false and says why if that cannot be done. */
bool check_digests(struct tree *tree);

#endif
