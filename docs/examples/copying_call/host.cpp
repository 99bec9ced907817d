/* Copying calls: bytes in, bytes out. The host asks for capitals, and sees two calls fail. */
#include <array>
#include <iostream>
#include <shmipc/shmipc.hpp>
#include <string_view>

/* The answer has any size, and owns its bytes. */
static void ask(shmipc::host &host, std::string_view country) {
    const auto capital = host.call(country);
    if (capital)
        std::cout << country << ": " << capital->text() << '\n';
    else if (capital.error().code() == shmipc::errc::handler) /* the guest's own words */
        std::cout << country << ": refused: " << capital.error().handler_message() << '\n';
    else
        std::cout << country << ": " << capital.error().what() << '\n';
}

/* The answer must fit into `place`: for a caller that has a place for it, and allocates nothing. */
static void ask_into(shmipc::host &host, std::string_view country, shmipc::byte_span place) {
    const auto capital = host.call_into(place, country);
    if (capital)
        std::cout << country << ": " << capital->data.text() << '\n';
    else if (capital.error().code() == shmipc::errc::too_large) /* nothing was cut: ask again */
        std::cout << country << ": " << capital.error().answer_size() << " bytes do not fit into "
                  << place.size() << '\n';
    else
        std::cout << country << ": " << capital.error().what() << '\n';
}

int main(int argc, char **argv) {
    auto host = shmipc::host::create(argc > 1 ? argv[1] : "copying_call");
    if (!host) {
        std::cerr << host.error().what() << '\n';
        return 1;
    }
    if (const auto ready = host->wait_guests(1); !ready) {
        std::cerr << ready.error().what() << '\n';
        return 1;
    }
    ask(*host, "Iceland");
    ask(*host, "Peru");
    ask(*host, "Atlantis");
    std::array<char, 4> place;
    ask_into(*host, "Iceland", place);

    return host->shutdown() ? 0 : 1; /* the guest's Serve returns */
}
