/* What the subjects in C++ share: a pair's host, and the end of the program where a call fails. */
#ifndef BENCHMARKS_CPP_PAIR_HPP
#define BENCHMARKS_CPP_PAIR_HPP

#include <shmipc/shmipc.hpp>

#include <cstdio>
#include <cstdlib>
#include <utility>

extern "C" {
#include "cpp.h"
}

struct cpp_pair {
    shmipc::host host;
    pair in_c;
};

template <class T> void expect(const shmipc::result<T> &result) {
    if (!result) {
        std::fprintf(stderr, "bench: %s\n", result.error().what());
        std::exit(EXIT_FAILURE);
    }
}

template <class T> T taken(shmipc::result<T> result) {
    expect(result);
    return *std::move(result);
}

/* A subject that calls this pair's guests, but for what it does. */
inline subject subject_of(const cpp_pair &pair, const char *name, std::size_t bytes,
                          const char *variant) {
    subject s = {};
    s.label = {name, pair.in_c.guest, bytes, 1, 1, variant};
    s.spins = true;
    s.run_in_ns = pair_run_in(&pair.in_c);
    s.unit = 1;
    return s;
}

#endif
