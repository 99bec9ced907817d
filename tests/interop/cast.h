/*
 * A host in this process, with a thread that serves what guests call, and guests of either language
 * as processes of their own.
 */
#ifndef SHMIPC_TESTS_CAST_H
#define SHMIPC_TESTS_CAST_H

#include "script.h"
#include "support/fixture.h"
#include "support/processes.h"

enum language { C_GUEST, GO_GUEST };

enum { CAST_MAX = 2 };

struct cast {
    const char *title;
    unsigned count;
    enum language languages[CAST_MAX];

    struct region_name name;
    shmipc_peer *host;
    struct server server;
    struct process guests[CAST_MAX];
};

/* Starts a guest process; `persistent`: it attaches again when its host has died. */
struct process guest_start(enum language language, const char *region, bool persistent);

void cast_open(struct cast *cast);

/* Leaves in order, and checks that each guest ends well by that. */
void cast_close(struct cast *cast);

/* Kills one guest; starts another in its place; waits until all are attached. */
void cast_kill(struct cast *cast, unsigned which);
void cast_replace(struct cast *cast, unsigned which);
void cast_await(struct cast *cast);

/* A call that must succeed; the length of the answer. */
size_t ask(shmipc_peer *host, uint32_t type, const void *data, size_t length, void *answer,
           size_t capacity);

/* What the host does for its guests, see script.h. */
int host_handler(void *context, const shmipc_request *request, shmipc_response *response);

#endif
