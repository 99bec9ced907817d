/* A host for guests that wait for it: it says only that one has come, and gone. */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

static void print_next(shmipc::host &host) {
    const shmipc::event event = host.next_event().value();
    std::printf("guest %u %s\n", event.peer,
                event.kind == shmipc::event_kind::attached ? "attached" : "left");
}

static void run(const std::string &name) {
    auto host = shmipc::host::create(name).value();
    print_next(host);
    print_next(host);
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
