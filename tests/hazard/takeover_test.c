/*
 * Hosts race for one name and are killed at random moments: two live hosts never have it at once,
 * and a surviving host can have it.
 */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include <stdio.h>
#include <unistd.h>

enum { RACERS = 3 };

struct race {
    struct region_name name;
    atomic_int reigning; /* the process id of the host that has the name; 0: none */
    atomic_uint reigns;
    atomic_uint overlaps;
};

static void reign(struct race *race, shmipc_peer *host) {
    int self = getpid();
    atomic_store(&race->reigning, self);
    atomic_fetch_add(&race->reigns, 1);
    dawdle(draw(4) == 0 ? 2000000 : 50000);
    if (atomic_exchange(&race->reigning, 0) != self) /* another has begun meanwhile */
        atomic_fetch_add(&race->overlaps, 1);
    shmipc_free(host);
}

_Noreturn static int race_for_the_name(void *context) {
    const shmipc_host_config config = test_host_config();
    struct race *race = context;
    for (;;) {
        shmipc_peer *host;
        int error = shmipc_host_create(race->name.text, &config, &host);
        if (error == SHMIPC_OK)
            reign(race, host);
        else
            must_equal(error, SHMIPC_E_NAME_IN_USE);
    }
}

static void test_racing_hosts_never_reign_at_once(void **state) {
    struct race *race = shared_memory(sizeof *race);
    pid_t racers[RACERS];
    shmipc_peer *host;
    (void)state;
    race->name = new_name();
    for (int i = 0; i < RACERS; i++)
        racers[i] = child_start(race_for_the_name, race);
    for (unsigned i = 0; i < scaled(500); i++) {
        pid_t *victim = &racers[draw(RACERS)];
        dawdle(draw(2) == 0 ? 200000 : 5000000);
        child_kill(*victim);
        *victim = child_start(race_for_the_name, race);
    }
    for (int i = 0; i < RACERS; i++)
        child_kill(racers[i]);
    print_message("             %u reigns\n", atomic_load(&race->reigns));
    must(atomic_load(&race->reigns) > 0);
    must_equal(atomic_load(&race->overlaps), 0);
    must_equal(shmipc_host_create(race->name.text, NULL, &host), 0);
    must_equal(count_regions(), 1);
    shmipc_free(host);
    must_equal(count_regions(), 0);
    shared_memory_free(race, sizeof *race);
}

/* Of hosts that start at the same moment after a crash exactly one gets the name. */
struct start {
    struct region_name name;
    struct gate go;
    struct gate tried;
    struct gate end;
    atomic_uint winners;
};

static int try_once(void *context) {
    const shmipc_host_config config = test_host_config();
    struct start *start = context;
    shmipc_peer *host;
    gate_await(&start->go, 1);
    int error = shmipc_host_create(start->name.text, &config, &host);
    must(error == SHMIPC_OK || error == SHMIPC_E_NAME_IN_USE);
    if (error == SHMIPC_OK)
        atomic_fetch_add(&start->winners, 1);
    gate_pass(&start->tried);
    gate_await(&start->end, 1);
    shmipc_free(host);
    return 0;
}

static int die_as_host(void *context) {
    const struct start *start = context;
    shmipc_peer *host;
    must_equal(shmipc_host_create(start->name.text, NULL, &host), 0);
    _exit(0);
}

static void test_exactly_one_of_several_hosts_takes_over(void **state) {
    struct start *start = shared_memory(sizeof *start);
    (void)state;
    for (unsigned i = 0; i < scaled(100); i++) {
        pid_t children[RACERS];
        *start = (struct start){.name = new_name()};
        must_equal(child_wait(child_start(die_as_host, start)), 0);
        for (int j = 0; j < RACERS; j++)
            children[j] = child_start(try_once, start);
        gate_pass(&start->go);
        gate_await(&start->tried, RACERS);
        must_equal(atomic_load(&start->winners), 1);
        gate_pass(&start->end);
        for (int j = 0; j < RACERS; j++)
            must_equal(child_wait(children[j]), 0);
        must_equal(count_regions(), 0);
    }
    shared_memory_free(start, sizeof *start);
}

/* ---- Removers of dead regions ---- */

enum { DEAD = 8, REMOVERS = 3 };

struct clearing {
    struct region_name name;
    struct gate ready;
    struct gate go;
    atomic_uint removed;
    atomic_bool over;
};

/* While a host lives its name leads to it. */
static void reign_with_a_name(const char *name, shmipc_peer *host) {
    const shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(name, &config, 0, &guest), SHMIPC_OK);
    shmipc_free(guest);
    if (draw(4) == 0)
        _exit(0); /* as if killed: this one is for the removers */
    dawdle(50000);
    must_equal(shmipc_guest_attach(name, &config, 0, &guest), SHMIPC_OK);
    shmipc_free(guest);
    shmipc_free(host);
}

static int come_and_go(void *context) {
    const shmipc_host_config config = test_host_config();
    struct clearing *clearing = context;
    while (!atomic_load(&clearing->over)) {
        shmipc_peer *host;
        must_equal(shmipc_host_create(clearing->name.text, &config, &host), SHMIPC_OK);
        reign_with_a_name(clearing->name.text, host);
    }
    return 0;
}

static int remove_again_and_again(void *context) {
    struct clearing *clearing = context;
    while (!atomic_load(&clearing->over)) {
        int error = shmipc_remove_dead_region(clearing->name.text);
        must(error == SHMIPC_OK || error == SHMIPC_E_NOT_FOUND || error == SHMIPC_E_NAME_IN_USE);
        if (error == SHMIPC_OK)
            atomic_fetch_add(&clearing->removed, 1);
        dawdle(20000);
    }
    return 0;
}

/* One host after another takes the name, which others would remove at any moment. */
static void test_no_live_hosts_region_is_removed(void **state) {
    struct clearing *clearing = shared_memory(sizeof *clearing);
    pid_t removers[REMOVERS];
    (void)state;
    clearing->name = new_name();
    for (int i = 0; i < REMOVERS; i++)
        removers[i] = child_start(remove_again_and_again, clearing);
    for (unsigned i = 0; i < scaled(300); i++)
        must_equal(child_wait(child_start(come_and_go, clearing)), 0);
    atomic_store(&clearing->over, true);
    for (int i = 0; i < REMOVERS; i++)
        must_equal(child_wait(removers[i]), 0);
    print_message("             %u removed\n", atomic_load(&clearing->removed));
    must(atomic_load(&clearing->removed) > 0);
    (void)shmipc_remove_dead_region(clearing->name.text);
    must_equal(count_regions(), 0);
    shared_memory_free(clearing, sizeof *clearing);
}

static void name_of_dead(const struct clearing *clearing, int i, char name[static 80]) {
    (void)snprintf(name, 80, "%s.%d", clearing->name.text, i);
}

static int die_with_many(void *context) {
    const shmipc_host_config config = test_host_config();
    for (int i = 0; i < DEAD; i++) {
        shmipc_peer *host;
        char name[80];
        name_of_dead(context, i, name);
        must_equal(shmipc_host_create(name, &config, &host), SHMIPC_OK);
    }
    _exit(0);
}

static int remove_all(void *context) {
    struct clearing *clearing = context;
    gate_pass(&clearing->ready);
    gate_await(&clearing->go, 1);
    int removed = shmipc_remove_dead_regions(clearing->name.text);
    must(removed >= 0);
    atomic_fetch_add(&clearing->removed, (unsigned)removed);
    return 0;
}

static void test_each_dead_region_is_removed_once(void **state) {
    struct clearing *clearing = shared_memory(sizeof *clearing);
    (void)state;
    for (unsigned i = 0; i < scaled(100); i++) {
        pid_t removers[REMOVERS];
        *clearing = (struct clearing){.name = new_name()};
        must_equal(child_wait(child_start(die_with_many, clearing)), 0);
        for (int j = 0; j < REMOVERS; j++)
            removers[j] = child_start(remove_all, clearing);
        gate_await(&clearing->ready, REMOVERS);
        gate_pass(&clearing->go);
        for (int j = 0; j < REMOVERS; j++)
            must_equal(child_wait(removers[j]), 0);
        must_equal(atomic_load(&clearing->removed), DEAD);
        must_equal(count_regions(), 0);
    }
    shared_memory_free(clearing, sizeof *clearing);
}

HAZARD_MAIN("takeover", hazard_test(test_racing_hosts_never_reign_at_once),
            hazard_test(test_exactly_one_of_several_hosts_takes_over),
            hazard_test(test_no_live_hosts_region_is_removed),
            hazard_test(test_each_dead_region_is_removed_once))
