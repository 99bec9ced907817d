/* What the hosts share: a main that reports what they throw, a check, a wait. */
#ifndef SHMIPC_TESTS_PARITY_HPP
#define SHMIPC_TESTS_PARITY_HPP

#include <shmipc/shmipc.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

namespace parity {

/* Ends the host with a message if the condition does not hold. */
inline void require(bool condition, const char *message) {
    if (!condition)
        throw std::runtime_error(message);
}

/* Waits until that has happened to a guest. */
inline void wait_for(shmipc::host &host, shmipc::event_kind kind) {
    while (host.next_event().value().kind != kind)
        continue;
}

/* Plays a host whose region has the name that the command line says. */
inline int play(int argc, char **argv, void (*host)(const std::string &name)) noexcept {
    try {
        require(argc == 2, "usage: host NAME");
        host(argv[1]);
        return 0;
    } catch (const std::exception &thrown) {
        std::fprintf(stderr, "%s\n", thrown.what());
    } catch (...) {
        std::fprintf(stderr, "what was thrown is no std::exception\n");
    }
    return 1;
}

} // namespace parity

#endif
