/* Checks the guest's digests with a program that has nothing to do with either. */
#ifndef DEMO_CHECKSUM_H
#define DEMO_CHECKSUM_H

#include "tree.h"

/* Runs sha256sum over the files that are FILE_ANSWERED and makes them FILE_OK, FILE_CHANGED or
   FILE_WRONG. Returns false and says why if sha256sum cannot be run. */
bool check_digests(struct tree *tree);

#endif
