/* What only the system can tell about the machine, for its description. */
#ifndef BENCHMARKS_SYSTEM_H
#define BENCHMARKS_SYSTEM_H

enum { FACT = 256 };

struct facts {
    char processor[FACT], architecture[FACT], kernel[FACT];
    char same_core[FACT], same_cache[FACT], same_package[FACT]; /* which share one with the first */
    long processors;
};

/* What cannot be found out is "unknown". */
void find_facts(struct facts *facts);

/* Seconds of processor time that all processes together have used. */
double all_busy_s(void);

/* Of this process, and of its children that have ended. */
double our_busy_s(void);

#endif
