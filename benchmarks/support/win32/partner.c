/* A partner is this program, started again: bench --partner ROLE MEMORY. */
#include "support/partner.h"

#include "child.h"
#include "memory.h"
#include "support/child.h"

#include <stdlib.h>
#include <string.h>

#define OPTION "--partner"

struct partner {
    HANDLE eventcount;
    pid_t pid;
};

static HANDLE eventcount_of(const void *memory) {
    return memory_event(memory, "eventcount");
}

/* Starting a program takes longer than many a block. */
static void await_start(pid_t partner, const void *memory) {
    HANDLE started = memory_event(memory, "started");
    const HANDLE either[] = {started, process_of(partner)};
    if (WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0)
        die("the other process");
    CloseHandle(started);
}

struct partner *partner_start(const struct role *role, void *memory) {
    char program[MAX_PATH];
    struct partner *partner = calloc(1, sizeof *partner);
    if (!partner || GetModuleFileNameA(NULL, program, sizeof program) == sizeof program)
        die("partner");
    partner->eventcount = eventcount_of(memory);
    partner->pid = child_program(
        (char *[]){program, OPTION, (char *)role->name, (char *)memory_name(memory), NULL});
    await_start(partner->pid, memory);
    return partner;
}

void partner_wake(const struct partner *partner) {
    SetEvent(partner->eventcount);
}

void partner_stop(struct partner *partner) {
    child_stop(partner->pid);
    CloseHandle(partner->eventcount);
    free(partner);
}

static const struct role *find(const struct role *const roles[], const char *name) {
    while (*roles && strcmp((*roles)->name, name) != 0)
        roles++;
    return *roles;
}

static _Noreturn void play(const struct role *role, void *memory) {
    HANDLE eventcount = eventcount_of(memory);
    SetEvent(memory_event(memory, "started"));
    while (WaitForSingleObject(eventcount, INFINITE) == WAIT_OBJECT_0)
        role->answer_block(memory);
    die(role->name);
}

void partner_play(int argc, char **argv, const struct role *const roles[]) {
    if (argc != 4 || strcmp(argv[1], OPTION) != 0)
        return;
    const struct role *role = find(roles, argv[2]);
    if (!role)
        die(argv[2]);
    play(role, memory_open(argv[3]));
}
