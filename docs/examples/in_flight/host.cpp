/* Calls in flight: one thread has several calls under way, and takes each answer as it comes. */
#include <cstdint>
#include <iostream>
#include <shmipc/shmipc.hpp>
#include <vector>

static constexpr unsigned depth = 8;
static constexpr std::uint64_t numbers = 10000;

static void ask(shmipc::slot &slot, std::uint64_t number) {
    slot.send_copy(shmipc::bytes_of(number)).value();
}

static std::uint64_t add_squares(shmipc::host &host) {
    std::vector<shmipc::slot> slots;
    std::uint64_t next = 1;
    for (; next <= depth; next++)
        ask(slots.emplace_back(host.claim().value()), next);

    /* Takes the answer of whichever call is over first, and sends the next number in its slot. */
    std::uint64_t sum = 0;
    std::size_t which = 0;
    for (std::uint64_t taken = 0; taken < numbers; taken++, next++, which++) {
        which = shmipc::wait_any(slots, which).value();
        sum += slots[which].receive().value().as<std::uint64_t>().value();
        if (next <= numbers)
            ask(slots[which], next);
    }
    return sum;
}

int main(int argc, char **argv) try {
    shmipc::host_config config;
    config.host_slots = depth;
    auto host = shmipc::host::create(argc > 1 ? argv[1] : "in_flight", config).value();
    host.wait_guests(1).value();
    std::cout << "the squares of 1 to " << numbers << " add up to " << add_squares(host) << '\n';
    host.shutdown().value();
    return 0;
} catch (const std::exception &failure) {
    std::cerr << failure.what() << '\n';
    return 1;
}
