/* Nobody there, and a guest that dies in a handler: errors at once, where silence would be a wait.
 */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

using std::chrono::milliseconds;

static void print_failure(const char *what, const shmipc::result<shmipc::answer> &answer) {
    parity::require(!answer, "who is not there has answered");
    std::printf("%s: %s\n", what, shmipc_strerror(static_cast<int>(answer.error().code())));
}

static void nobody_there(const std::string &name) {
    auto host = shmipc::host::create(name + ".alone").value();
    print_failure("nobody there", host.call("hello", shmipc::type_normal, shmipc::forever));
    print_failure("nobody came",
                  host.call("hello", shmipc::type_normal, milliseconds(50), shmipc::wait_ready));
}

static void run(const std::string &name) {
    nobody_there(name);

    /* The first call waits for a guest by itself. */
    auto host = shmipc::host::create(name).value();
    print_failure("died in its handler", host.call("die", shmipc::type_normal,
                                                   std::chrono::seconds(30), shmipc::wait_ready));
    parity::wait_for(host, shmipc::event_kind::died);
    print_failure("gone", host.call("hello", shmipc::type_normal, shmipc::forever));
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
