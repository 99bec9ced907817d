/* Guest calls: the guest calls the host, which serves with a thread of its own and ends when the
   guest is gone. */
#include <functional>
#include <iostream>
#include <map>
#include <shmipc/shmipc.hpp>
#include <string>

using settings = std::map<std::string, std::string, std::less<>>;

/* Waits until the guest has come and gone, in order or not. */
static void wait_for_the_end(shmipc::host &host) {
    auto event = host.next_event().value();
    while (event.kind == shmipc::event_kind::attached)
        event = host.next_event().value();
    std::cout << "guest " << event.peer
              << (event.kind == shmipc::event_kind::left ? " left" : " died") << '\n';
}

int main(int argc, char **argv) try {
    const settings known = {{"colour", "green"}, {"size", "12"}};
    auto host = shmipc::host::create(argc > 1 ? argv[1] : "guest_calls").value();

    /* Runs in the server's thread, which ends before what the handler uses. */
    const auto look_up = [&](const shmipc::request &request, shmipc::response &response) {
        const auto setting = known.find(request.text());
        if (setting == known.end())
            return response.fail("no setting is called \"" + std::string(request.text()) + '"');
        response.write(setting->second);
        std::cout << "guest " << request.peer() << " asked for " << setting->first << '\n';
    };
    const auto server = shmipc::server::start(host, 1, look_up).value();

    wait_for_the_end(host);
    host.shutdown().value();
    return 0;
} catch (const std::exception &failure) {
    std::cerr << failure.what() << '\n';
    return 1;
}
