/* Sends files to the guest, several at a time, and listens to the guest's progress. */
#ifndef DEMO_SENDER_H
#define DEMO_SENDER_H

#include "tree.h"

/* What the guest said about its progress, by calling the host. */
struct reports {
    uint64_t calls;
    struct progress latest;
};

/* Sends the tree's files for at most `seconds`; what is left then stays FILE_WAITS. Returns false
   and says why if a call fails or the guest's reports are not about what was sent. */
bool send_files(shmipc_peer *host, struct tree *tree, int seconds, struct reports *reports);

#endif
