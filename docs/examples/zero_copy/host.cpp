/* Zero copy: numbers are written where the guest reads them, and its sums are read where it wrote
   them. One slot serves for all calls. */
#include <cstdint>
#include <iostream>
#include <shmipc/shmipc.hpp>

static constexpr std::size_t count = 100000;
static constexpr std::uint64_t rounds = 3;

/* Sends 1*factor, 2*factor, ... and shows the last of their running sums. */
static void add_up(shmipc::slot &slot, std::uint64_t factor) {
    auto *numbers = reinterpret_cast<std::uint64_t *>(slot.buffer().data());
    for (std::size_t i = 0; i < count; i++)
        numbers[i] = (i + 1) * factor;

    slot.send(count * sizeof *numbers).value();
    /* Here is time for other work; slot.ready() tells when it is done. */
    const auto answer = slot.receive().value();

    /* Valid until the slot is sent again or released. */
    const auto *sums = reinterpret_cast<const std::uint64_t *>(answer.data.data());
    const std::size_t size = answer.data.size() / sizeof *sums;
    std::cout << size << " sums, the last is " << (size ? sums[size - 1] : 0) << '\n';
}

static void run(shmipc::host &host) {
    host.wait_guests(1).value();
    auto slot = host.claim().value(); /* its destructor releases it */
    for (std::uint64_t factor = 1; factor <= rounds; factor++)
        add_up(slot, factor);
}

/* What fails throws in value(). */
int main(int argc, char **argv) try {
    shmipc::host_config config;
    config.host_slots = 1;
    config.request_capacity = config.response_capacity = count * sizeof(std::uint64_t);
    auto host = shmipc::host::create(argc > 1 ? argv[1] : "zero_copy", config).value();
    run(host);
    host.shutdown().value();
    return 0;
} catch (const std::exception &failure) {
    std::cerr << failure.what() << '\n';
    return 1;
}
