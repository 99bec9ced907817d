/*
 * What things cost on the machine that is simulated. All times are of virtual time.
 */
#ifndef SCALING_COSTS_H
#define SCALING_COSTS_H

#include <stdbool.h>
#include <stdint.h>

/* Picoseconds. */
typedef uint64_t ps;

#define NS UINT64_C(1000)
#define US (1000 * NS)
#define MS (1000 * US)
#define NEVER UINT64_MAX

/* In ns, as they are given on the command line. */
struct costs {
    /* Cache lines. */
    double near;    /* a line is brought from a processor of the same cluster, */
    double far;     /* or of another one */
    double cluster; /* processors that are near each other */
    double overlap; /* a reader keeps the line from the next one for this part of its transfer */
    double look;    /* a load or a store of a line that is here */
    double locked;  /* an operation that reads and writes, on a line that is here */

    /* Instructions. */
    double pause;
    double delay; /* a turn of cpu_delay */
    double clock;
    double call;  /* what a caller does for a call beside atomic operations, */
    double serve; /* and a worker */

    /* The system. */
    double yield;       /* with nobody to yield to */
    double wake_nobody; /* a wake call that finds no sleeper */
    double wake;        /* one whose sleeper waits for a processor that is busy, for who calls, */
    double wake_idle;   /* or goes to an idle one */
    double wake_up;     /* from the call until the sleeper runs on an idle processor */
    double sleep;       /* a sleep call until the processor is given up, */
    double resume;      /* and from there until another thread of this processor runs */
    double queue_lock;  /* each sleep and wake call on a word keeps the others of this word out, */
    double pass_over;   /* for so much longer with each sleeper that is not meant */
    double slice;       /* a thread runs for so long if others wait for its processor: for each */
                        /* time that their number has doubled, and once more; four times at most */
    double usable;      /* processors that the system has threads run on; 0: all */
    double balance;     /* an idle processor looks so often for a thread that waits elsewhere */
};

/* Those of the machine that README.md names. */
struct costs costs_measured(void);

/* Changes one by "name=ns". False: there is none of this name, or that is no number. */
bool costs_set(struct costs *costs, const char *setting);

void costs_print(const struct costs *costs);

static inline ps ps_of(double ns) {
    return (ps)(ns * 1000);
}

#endif
