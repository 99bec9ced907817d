/*
 * What things cost on this machine.
 */
#ifndef SCALING_MEASURE_H
#define SCALING_MEASURE_H

/* Prints them under the names of costs.h, as far as two processors can show them. */
void measure_costs(void);

#endif
