/* Guests' calls are served by threads of a server, with a handler for each type. */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

static void run(const std::string &name) {
    // snippet: server
    shmipc::host_config config;
    config.host_slots = 4;
    config.guest_slots = 2;
    auto host = shmipc::host::create(name, config).value();
    shmipc::dispatcher handlers;
    handlers.on(shmipc::type_guest_call, [](const auto &request, auto &response) {
        // end
        response.write("heard ");
        response.write(request.data());
        // snippet: server
    });
    auto server = shmipc::server::start(host, 2, handlers).value();
    // end
    parity::wait_for(host, shmipc::event_kind::left);
    server.stop();
    std::printf("%llu calls of the guest were served\n",
                static_cast<unsigned long long>(host.stats().value().served));
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
