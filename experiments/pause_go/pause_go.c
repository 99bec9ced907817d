/*
 * How many pauses between two looks at the word, in Go; the caller, in C, looks all the time.
 * pause_go PROGRAM: the Go program of ./responder.
 */
#define _GNU_SOURCE
#include "support/blocks.h"
#include "support/child.h"
#include "support/clock.h"
#include "support/linux/fork.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STOP UINT64_MAX

static const unsigned char pauses[] = {0, 1, 2, 4, 8, 16};

enum { WAYS = sizeof pauses, PAGE = 4096, PATIENCE = 10000 };

static struct {
    _Atomic uint64_t *word;
    uint64_t sent;
    int bell;
} go;

static uint64_t await_change(uint64_t old) {
    uint64_t found;
    for (unsigned looks = 1; (found = atomic_load_explicit(go.word, memory_order_acquire)) == old;
         looks++) {
        if (looks % PATIENCE == 0)
            sched_yield();
    }
    return found;
}

static void begin(void *self) {
    go.sent = 0;
    if (write(go.bell, self, 1) != 1)
        die("the responder");
}

static void run(void *self, uint64_t calls) {
    (void)self;
    for (uint64_t i = 0; i < calls; i++) {
        atomic_store_explicit(go.word, go.sent + 1, memory_order_release);
        go.sent = await_change(go.sent + 1);
    }
}

static void end(void *self) {
    (void)self;
    atomic_store_explicit(go.word, STOP, memory_order_release);
    (void)await_change(STOP);
}

static pid_t start(char *program) {
    char path[64];
    int ends[2];
    int file = memfd_create("pause_go", 0);
    if (file < 0 || ftruncate(file, PAGE) != 0)
        die("memfd");
    go.word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (go.word == MAP_FAILED)
        die("mmap");
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    pid_t responder = child_piped((char *[]){program, path, NULL}, ends);
    go.bell = ends[1];
    return responder;
}

static void compare_all(void) {
    const struct plan plan = {
        .rounds = 151, .awake = true, .warm_up_ns = 10 * MILLISECOND, .loop_ns = 3 * MILLISECOND};
    struct subject subjects[WAYS];
    for (int i = 0; i < WAYS; i++) {
        subjects[i] = (struct subject){.self = (void *)&pauses[i],
                                       .spins = true,
                                       .unit = 1,
                                       .begin = begin,
                                       .run = run,
                                       .end = end};
    }
    struct record *records = alternate(subjects, WAYS, &plan);
    printf("One word on one line, C to Go\n%-12s %8s %8s %8s\n", "pauses", "ns", "ratio", "spread");
    for (int i = 0; i < WAYS; i++) {
        struct comparison c = compare(&records[i]);
        printf("%-12u %8.1f %8.3f %8.3f\n", pauses[i], call_ns(&records[i]), c.ratio, c.spread);
    }
    free_records(records, WAYS);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s PROGRAM\n", argv[0]);
        return 2;
    }
    pid_t responder = start(argv[1]);
    compare_all();
    close(go.bell);
    child_wait(responder);
    return EXIT_SUCCESS;
}
