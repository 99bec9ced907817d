/* Adaptive waiting: a wait spins first, which is fast, then sleeps, which costs nothing; and a call
   wakes a sleeper. */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

#include <thread>

using std::chrono::milliseconds;

/* Calls after a rest, until a call has had to wake the guest. */
static void wake_the_guest(shmipc::host &host) {
    const auto wakes = host.stats().value().wakes;
    while (host.stats().value().wakes == wakes) {
        std::this_thread::sleep_for(milliseconds(20));
        host.call("at once").value();
    }
    std::printf("a guest that rests sleeps, and is woken\n");
}

/* Calls what takes long, until the host has slept meanwhile. */
static void sleep_while_waiting(shmipc::host &host) {
    const auto parks = host.stats().value().parks;
    while (host.stats().value().parks == parks)
        host.call("slowly").value();
    std::printf("a host that waits for long sleeps, and is woken\n");
}

static void run(const std::string &name) {
    shmipc::host_config config;
    config.spin_ns = 20000; // 20 us; SHMIPC_SPIN_AUTO fits most
    auto host = shmipc::host::create(name, config).value();
    host.wait_guests(1).value();
    for (int i = 0; i < 10000; i++)
        host.call("at once").value();
    std::printf("10000 calls in a row\n");
    wake_the_guest(host);
    sleep_while_waiting(host);
    host.shutdown().value();
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
