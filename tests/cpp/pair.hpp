/* A host and a guest of one region, both in this process, and handlers that tests share. */
#ifndef SHMIPC_TESTS_CPP_PAIR_HPP
#define SHMIPC_TESTS_CPP_PAIR_HPP

#include "support/cpp.hpp"

#include <shmipc/shmipc.hpp>
#include <utility>

namespace testing {

/* Small and crooked, so that mistakes show, and without spinning. */
inline shmipc::host_config small_config() {
    shmipc::host_config config;
    config.host_slots = config.guest_slots = 2;
    config.request_capacity = 1000;
    config.response_capacity = 500;
    config.spin_ns = 0;
    return config;
}

struct pair {
    explicit pair(const shmipc::host_config &config = small_config())
        : name(new_name()), host(shmipc::host::create(name, config).value()),
          guest(shmipc::guest::attach(name).value()) {}

    std::string name;
    shmipc::host host;
    shmipc::guest guest;
};

/* Answers with the request's bytes and type. */
inline void echo(const shmipc::request &request, shmipc::response &response) {
    response.write(request.data());
    response.set_type(request.type());
}

template <class Handler>
shmipc::server serve(shmipc::peer &peer, Handler handler, unsigned threads = 1) {
    return shmipc::server::start(peer, threads, std::move(handler)).value();
}

} /* namespace testing */

#endif
