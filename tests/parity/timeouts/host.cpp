/* Time-outs: 10 s unless the call says another, and the error says whether a handler had
   started. */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

using clock_type = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

static void print_failure(const char *what, const shmipc::error &error) {
    std::printf("%s: %s\n", what, shmipc_strerror(static_cast<int>(error.code())));
}

static void run(const std::string &name) {
    shmipc::host_config config;
    config.host_slots = 1;
    auto host = shmipc::host::create(name, config).value();
    host.wait_guests(1).value();

    const auto begin = clock_type::now();
    auto answer = host.call("no answer");
    const auto took = clock_type::now() - begin;
    parity::require(!answer, "who gives no answer has answered");
    print_failure("by default", answer.error());
    parity::require(took > seconds(9) && took < seconds(40), "the default is not 10 s");

    answer = host.call("no answer", shmipc::type_normal, milliseconds(50));
    parity::require(!answer, "who gives no answer has answered");
    print_failure("started", answer.error());

    auto slot = host.claim().value();
    answer = host.call("no slot", shmipc::type_normal, milliseconds(50));
    parity::require(!answer, "there was no slot for this call");
    print_failure("not started", answer.error());
    slot.release().value();
    host.shutdown().value();
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
