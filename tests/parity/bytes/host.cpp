/* Any bytes of any protocol, of every size up to the capacity; each answer is that of its request.
   What does not fit is an error, and is never cut. */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

#include <vector>

constexpr std::uint32_t capacity = 4096;

static std::vector<std::uint8_t> pattern(std::size_t size, std::size_t seed) {
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size; i++)
        bytes[i] = static_cast<std::uint8_t>(seed + i + i / 256);
    return bytes;
}

static bool same(shmipc::byte_view a, shmipc::byte_view b) {
    return a.text() == b.text();
}

static void every_size(shmipc::host &host) {
    for (std::size_t size = 0; size <= capacity; size++) {
        const auto bytes = pattern(size, size);
        parity::require(same(host.call(bytes).value(), bytes), "an answer has other bytes");
    }
    std::printf("every size up to %u\n", capacity);
}

/* Many calls in flight from this thread, built and read in place, collected as they come. */
static void in_flight(shmipc::host &host) {
    std::vector<shmipc::slot> slots;
    for (std::size_t i = 0; i < 4; i++) {
        const auto bytes = pattern(1000, i);
        auto &slot = slots.emplace_back(host.claim().value());
        std::memcpy(slot.buffer().data(), bytes.data(), bytes.size());
        slot.send(bytes.size()).value();
    }
    std::size_t next = 0;
    for (std::size_t i = 0; i < slots.size(); i++) {
        next = shmipc::wait_any(slots, next).value();
        const auto answer = slots[next].receive().value();
        parity::require(same(answer.data, pattern(1000, next)), "an answer is another call's");
        slots[next].release().value();
        next++;
    }
    std::printf("4 in flight, each answer its own\n");
}

static void refused(shmipc::host &host) {
    const auto request = host.call(pattern(capacity + 1, 0));
    parity::require(!request && request.error().code() == shmipc::errc::too_large,
                    "a request that does not fit is not refused");
    std::printf("%s\n", request.error().what());
    const auto answer = host.call("too much", shmipc::type_application);
    parity::require(!answer && answer.error().code() == shmipc::errc::too_large,
                    "an answer that does not fit is not refused");
    std::printf("%s\n", answer.error().what());
}

static void run(const std::string &name) {
    shmipc::host_config config;
    config.request_capacity = config.response_capacity = capacity;
    auto host = shmipc::host::create(name, config).value();
    host.wait_guests(1).value();
    every_size(host);
    in_flight(host);
    refused(host);
    host.shutdown().value();
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
