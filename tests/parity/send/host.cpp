/* A host creates a region and sends bytes to any slot; the call returns with the answer. */
// snippet: host
#include <shmipc/shmipc.hpp>
// end

#include "../parity.hpp"

#include <vector>

static void print(const char *what, const shmipc::answer &answer) {
    std::printf("%s: %zu bytes of type %u\n", what, answer.size(), answer.type().value());
}

static void run(const std::string &name) {
    // snippet: host
    shmipc::host_config config;
    config.host_slots = 4;
    config.request_capacity = config.response_capacity = 1024 * 1024; // 1 MiB each
    auto host = shmipc::host::create(name, config).value();
    host.wait_guests(1).value();
    auto answer = host.call("test").value();
    // end
    parity::require(answer.text() == "test", "the answer is not the request");
    print("test", answer);

    const std::vector<std::uint8_t> full(config.request_capacity, 7);
    print("as many as fit", host.call(full).value());
    print("a FlatBuffer's type", host.call("test", shmipc::type_flatbuffer).value());
    host.shutdown().value();
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
