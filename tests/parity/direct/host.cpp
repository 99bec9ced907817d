/* Direct mode: each thread has a slot of its own, and nobody else's call is ever in it. */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

#include <set>
#include <thread>
#include <vector>

constexpr std::uint32_t slots = 4;
constexpr int calls = 1000;

/* The guest's answer is the index of the slot that it was called in. */
static std::uint32_t slot_of(const shmipc::result<shmipc::answer> &answer) {
    return answer.value().as<std::uint32_t>().value();
}

/* The only slot that all calls of a thread went through. */
static std::uint32_t call_in(shmipc::slot slot) {
    const std::uint32_t first = slot_of(slot.call());
    for (int i = 1; i < calls; i++)
        parity::require(slot_of(slot.call()) == first, "a call went through another slot");
    return first;
}

template <class Body> static void in_threads(std::uint32_t count, Body body) {
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < count; i++)
        threads.emplace_back(body, i);
    for (std::thread &thread : threads)
        thread.join();
}

static void a_slot_for_each_thread(shmipc::host &host) {
    std::vector<shmipc::slot> held;
    for (std::uint32_t i = 0; i < slots; i++)
        held.push_back(host.claim().value());
    std::vector<std::uint32_t> seen(slots);
    in_threads(slots, [&](std::uint32_t i) { seen[i] = call_in(std::move(held[i])); });
    std::printf("%zu slots for %u threads\n",
                std::set<std::uint32_t>(seen.begin(), seen.end()).size(), slots);
}

static void more_threads_than_slots(shmipc::host &host) {
    in_threads(2 * slots, [&](std::uint32_t) {
        for (int i = 0; i < calls; i++)
            parity::require(slot_of(host.call()) < slots, "there is no such slot");
    });
    std::printf("%u slots for %u threads\n", slots, 2 * slots);
}

static void run(const std::string &name) {
    shmipc::host_config config;
    config.host_slots = slots;
    auto host = shmipc::host::create(name, config).value();
    host.wait_guests(1).value();
    a_slot_for_each_thread(host);
    more_threads_than_slots(host);
    const shmipc_stats stats = host.stats().value();
    std::printf("%d calls, %d failed\n", static_cast<int>(stats.calls),
                static_cast<int>(stats.failed));
    host.shutdown().value();
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
