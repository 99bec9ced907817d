/* The guest has a worker for each slot: as many handlers run at once as there are host slots. */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

#include <thread>
#include <vector>

constexpr std::uint32_t workers = 4;

static void run(const std::string &name) {
    shmipc::host_config config;
    config.host_slots = workers;
    auto host = shmipc::host::create(name, config).value();
    host.wait_guests(1).value();
    /* Each handler waits until all of them run. */
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < workers; i++)
        threads.emplace_back([&] { host.call("together").value(); });
    for (std::thread &thread : threads)
        thread.join();
    std::printf("%u handlers ran at once\n", workers);
    host.shutdown().value();
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
