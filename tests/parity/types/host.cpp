/* Message types tell operations of one connection apart: 128 and above are the application's. */
// snippet: types host
#include <shmipc/shmipc.hpp>
// end

#include "../parity.hpp"

// snippet: types host
enum operation : std::uint32_t { resize = SHMIPC_TYPE_APPLICATION + 1, misanswer, nobodys };
// end

static void print_refusal(shmipc::host &host, const char *what, shmipc::message_type type) {
    const auto answer = host.call("payload", type);
    parity::require(!answer, "what should be refused is not");
    std::printf("%s: %s\n", what, answer.error().what());
}

static void run(const std::string &name) {
    auto host = shmipc::host::create(name).value();
    host.wait_guests(1).value();
    // snippet: types host
    auto answer = host.call("payload", resize).value();
    // end
    std::printf("own type: %.*s, type %u\n", static_cast<int>(answer.size()), answer.text().data(),
                answer.type().value());

    print_refusal(host, "reserved type", 127);
    print_refusal(host, "reserved type of an answer", misanswer);
    print_refusal(host, "type without a handler", nobodys);
    host.shutdown().value();
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
