/* A background thread of the host listens for guests' calls: it polls, and sleeps between them. */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

#include <thread>

static void run(const std::string &name) {
    // snippet: listener
    shmipc::host_config config;
    config.host_slots = 4;
    config.guest_slots = 2; // two calls of guests at a time
    auto host = shmipc::host::create(name, config).value();
    const auto handler = [](const shmipc::request &request, shmipc::response &response) {
        if (request.type() == shmipc::type_guest_call) {
            // end
            response.write("heard ");
            response.write(request.data());
            // snippet: listener
        }
    };
    std::thread listener([&] {
        while (host.wait(shmipc::forever) && host.poll(handler)) {
        }
    });
    // end
    parity::wait_for(host, shmipc::event_kind::left);
    host.wake().value();
    listener.join();
    std::printf("%llu calls of the guest were served\n",
                static_cast<unsigned long long>(host.stats().value().served));
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
