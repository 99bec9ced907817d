/* Whether a thread kept its processor. */
#ifndef BENCHMARKS_SWITCHES_H
#define BENCHMARKS_SWITCHES_H

/* How often this thread has given up its processor, or lost it. Always the same if the system does
   not tell. */
long switches(void);

#endif
