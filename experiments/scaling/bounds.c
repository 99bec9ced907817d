#include "bounds.h"

static double least(double one, double other) {
    return one < other ? one : other;
}

/* There and back: a line is brought four times, twice to be read and twice to be written. */
static double spinning_ns(const struct load *load, const struct costs *c) {
    return load->handler_ns + 4 * c->near;
}

static double sleeping_ns(const struct load *load, const struct costs *c) {
    return load->handler_ns + c->wake + c->sleep + c->resume;
}

double bound_of_machine(const struct load *load, const struct costs *costs) {
    double most = 0;
    for (uint32_t spin = 0; spin <= load->callers && 2 * spin <= load->processors; spin++) {
        double sleep = least(load->callers - spin, load->processors - 2 * spin);
        double calls = spin / spinning_ns(load, costs) + sleep / sleeping_ns(load, costs);
        most = calls > most ? calls : most;
    }
    return most * 1e9;
}

/* To as many processors as there are callers, or as there are others: the nearest. */
static double mean_transfer(const struct load *load, const struct costs *c) {
    double others = least(load->callers, load->processors - 1);
    double near = least(c->cluster - 1, others);
    return (near * c->near + (others - near) * c->far) / others;
}

double bound_of_worker(const struct load *load, const struct costs *costs) {
    double one = 1 / (load->handler_ns + mean_transfer(load, costs));
    return least(load->callers / spinning_ns(load, costs), one) * 1e9;
}
