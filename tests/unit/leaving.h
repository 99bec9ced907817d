/*
 * A pair of which one peer leaves while threads of it hold slots, wait, or run handlers; one slot
 * in each direction. Linked with --wrap for shmi_object_detach and madvise.
 */
#ifndef SHMIPC_TESTS_LEAVING_H
#define SHMIPC_TESTS_LEAVING_H

#include "support/fixture.h"

#include "region/slot.h"

enum { REQUEST_CAPACITY = 9024, RESPONSE_CAPACITY = 7040 };

/* Far below what any holder takes, far above what a loaded machine does. */
#define SHORT (20 * MILLISECOND)
#define SOON (5 * SECOND)

static const shmipc_request nothing = {.data = NULL};

/* Set, they make a system that cannot detach, or that populates no pages. */
extern atomic_bool no_detaching;
extern atomic_bool no_populating;

struct scene {
    struct pair pair;
    shmipc_peer *leaver;
    shmipc_peer *other;
};

/* The host or the guest is the leaver. */
struct scene scene_open(bool host_leaves);
void scene_close(struct scene *scene);

/* Within its deadline, and a generous while. */
void assert_shut_down(shmipc_peer *peer, int expected);

/* Takes the place of the leaver, which has left: the next host, or guest. */
shmipc_peer *succeed(const struct scene *scene);

/* Calls with patterned requests and answers come through as they are. The pattern is another than
   that of the requests whose handlers run on. */
int pattern_handler(void *context, const shmipc_request *request, shmipc_response *response);
void call_with_patterns(shmipc_peer *peer, int count);

/* As the other side sees it; 0 is the host's slot, 1 the guest's. */
enum slot_state state_of(const struct scene *scene, uint32_t slot);

/* ---- A handler that runs on ---- */

/* A handler that looks at its request, stays, and looks again, writing to its answer all the
   while. */
struct stayer {
    struct gate entered;
    atomic_bool leave;
    atomic_bool spin;
    atomic_uint turns;
    int abandoned;
};

int staying_handler(void *context, const shmipc_request *request, shmipc_response *response);

/* Until the handler has written once more than now. */
void await_turn(const struct stayer *stayer);

/* A thread that calls it. */
struct patterned_call {
    shmipc_peer *peer;
    int result;
};

void *call_once(void *context);

/* ---- Threads that wait ---- */

struct waiter {
    shmipc_peer *peer;
    int (*wait)(struct waiter *waiter);
    shmipc_slot slot;
    int result;
};

int wait_for_slot(struct waiter *w);
int wait_to_serve(struct waiter *w);
int wait_for_event(struct waiter *w);
void *wait_here(void *context);

/* The result of a wait whose peer has left. */
void assert_ended(int result);

#endif
