/* The descriptor for event loops, and calls to one guest. */
#include "cpp/pair.hpp"

#include <array>
#include <vector>

extern "C" {
#include "support/readable.h"
}

using namespace std::chrono_literals;
using testing::echo;
using testing::pair;

static constexpr std::int64_t second = 1000000000;

/* If it is readable for a tick, the next look finds that it is not. */
template <class Slots> static bool is_quiet(shmipc::host &host, const Slots &slots) {
    const shmipc_fd fd = host.descriptor().value();
    return (!host.arm(0, slots).value() && !is_readable(fd, 0)) ||
           (!host.arm(0, slots).value() && !is_readable(fd, 0));
}

static void the_descriptor_tells_of_answers() {
    pair p;
    const shmipc_fd fd = p.host.descriptor().value();
    std::array<shmipc::slot, 2> slots{p.host.claim().value(), p.host.claim().value()};
    must(slots[1].send_copy("x").has_value());
    must(is_quiet(p.host, slots));
    must(p.guest.poll(echo).value() == 1);
    must(is_readable(fd, 10 * second));
    must(p.host.arm(0, slots).value());
    must(slots[1].ready() && slots[1].receive(0s).value().text() == "x");
    must(is_quiet(p.host, slots));
    must(p.host.disarm().has_value());
}

static void the_descriptor_tells_of_requests_and_events() {
    pair p;
    const shmipc_fd fd = p.guest.descriptor().value();
    must(p.guest.descriptor().value() == fd);
    must(!p.guest.arm(shmipc::arm_requests).value());
    shmipc::slot slot = p.host.claim().value();
    must(slot.send_copy("x").has_value());
    must(is_readable(fd, 10 * second) && p.guest.arm(shmipc::arm_requests).value());
    must(p.guest.poll(echo).value() == 1);
    must(p.host.descriptor().has_value());
    must(p.host.arm(shmipc::arm_events).value()); /* the guest has come */
    must(p.host.next_event(0s).has_value());
    must(p.host.arm(4).error().code() == shmipc::errc::invalid);
    must(shmipc::host().descriptor().error().code() == shmipc::errc::invalid);
}

static void one_guest_is_called_by_its_address() {
    const std::string name = testing::new_name();
    shmipc::host host = shmipc::host::create(name).value();
    std::vector<shmipc::guest> guests;
    std::vector<std::uint64_t> addresses;
    for (std::uint64_t service = 1; service <= 2; service++) {
        shmipc::guest_config config;
        config.service = service;
        guests.push_back(shmipc::guest::attach(name, config).value());
        const shmipc::event event = host.next_event().value();
        must(event.service == service && event.address != 0);
        must(host.find_guest(service).value() == event.address);
        addresses.push_back(event.address);
    }
    must(host.find_guest(3).error().code() == shmipc::errc::no_peer);
    shmipc::slot slot = host.claim().value();
    must(slot.send_copy("x", shmipc::type_normal, 0, addresses[1]).has_value());
    must(guests[0].poll(echo).value() == 0 && guests[1].poll(echo).value() == 1);
    must(slot.receive().value().text() == "x");
    guests.pop_back();
    must(host.call("x", shmipc::type_normal, 1s, 0, addresses[1]).error().code() ==
         shmipc::errc::no_peer);
}

int main() {
    return testing::run({SCENE(the_descriptor_tells_of_answers),
                         SCENE(the_descriptor_tells_of_requests_and_events),
                         SCENE(one_guest_is_called_by_its_address)});
}
