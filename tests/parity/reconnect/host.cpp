/* A host that goes and comes back; its guest stays, and works again. */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

static void live_once(const std::string &name, const char *last) {
    auto host = shmipc::host::create(name).value();
    host.wait_guests(1).value();
    std::printf("%s\n", std::string(host.call("which host?").value().text()).c_str());
    host.call(last).value();
}

static void run(const std::string &name) {
    live_once(name, "wait for another");
    live_once(name, "no other will come");
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
