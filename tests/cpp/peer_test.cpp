/* Hosts and guests: how they are made, what keeps them, and how they end. */
#include "cpp/pair.hpp"

#include <mutex>
#include <optional>
#include <vector>

using namespace std::chrono_literals;
using testing::echo;
using testing::pair;

static void a_peer_that_cannot_be_created_says_why() {
    const std::string name = testing::new_name();
    shmipc::host host = shmipc::host::create(name).value();
    must(shmipc::host::create(name).error().code() == shmipc::errc::name_in_use);
    must(shmipc::host::create("a name").error().code() == shmipc::errc::name);
    must(shmipc::host::create(std::string("a\0b", 3)).error().code() == shmipc::errc::name);
    must(shmipc::guest::attach(testing::new_name(), {}, 0s).error().code() ==
         shmipc::errc::not_found);
    shmipc::host_config config;
    config.request_capacity = SHMIPC_CAPACITY_MAX + 1;
    must(shmipc::host::create(testing::new_name(), config).error().code() == shmipc::errc::invalid);
}

static void a_configuration_begins_with_its_defaults() {
    const shmipc_host_config c = SHMIPC_HOST_CONFIG_INIT;
    const shmipc::host_config cpp;
    must(cpp.size == sizeof c && cpp.host_slots == c.host_slots && cpp.mode == c.mode);
    must(cpp.request_capacity == c.request_capacity && cpp.spin_ns == c.spin_ns);
    const shmipc::guest_config guest;
    must(guest.size == sizeof(shmipc_guest_config) && guest.owner == SHMIPC_OWNER_SELF);
}

static void a_moved_peer_is_where_it_was_moved_to() {
    pair p;
    shmipc::host moved = std::move(p.host);
    // NOLINTNEXTLINE(bugprone-use-after-move): that is what is asked
    must(!p.host.native() && p.host.call("x").error().code() == shmipc::errc::invalid);
    must(moved.wait_guests(1).has_value());

    shmipc::host other = shmipc::host::create(testing::new_name()).value();
    other = std::move(moved); /* the other's region ends */
    must(testing::count_regions() <= 1);
    must(other.info().value().host_slots == 2);
}

static void a_destructor_closes() {
    std::optional<pair> p(std::in_place);
    shmipc::guest guest = std::move(p->guest);
    std::thread serving([&] {
        const shmipc::errc code = guest.serve(echo).code();
        must(code == shmipc::errc::peer_died || code == shmipc::errc::shutdown);
    });
    must(p->host.call("x").has_value());
    p.reset();
    serving.join();
}

static void a_peer_tells_what_it_is() {
    pair p;
    auto server = testing::serve(p.guest, echo);
    must(p.host.next_event().value().kind == shmipc::event_kind::attached);
    must(p.host.info().value().guests == 1 && p.guest.info().value().index == 1);
    must(p.host.ping().value() > 0ns);
    must(p.host.call("x").has_value() && p.host.stats().value().calls >= 1);
    must(p.host.stats(0).value().calls + p.host.stats(1).value().calls >= 1);
    must(p.host.stats(4).error().code() == shmipc::errc::invalid);
}

static void serving_ends_by_token_and_wake() {
    pair p;
    shmipc::stop_token token;
    must(!token.stopped());
    std::thread serving(
        [&] { must(p.guest.serve(echo, token).code() == shmipc::errc::cancelled); });
    must(p.host.call("x").has_value());
    token.stop();
    serving.join();
    must(token.stopped());

    shmipc::guest_config config;
    config.stop = token.native();
    must(shmipc::guest::attach(testing::new_name(), config, shmipc::forever).error().code() ==
         shmipc::errc::cancelled);
    must(p.guest.wake().has_value());
    must(p.guest.serve(echo).code() == shmipc::errc::woken);
}

static void a_scope_has_its_token_end_the_threads_waits() {
    pair p;
    shmipc::stop_token outer;
    shmipc::stop_token inner;
    inner.stop();
    const shmipc::stop_scope scope(outer);
    {
        const shmipc::stop_scope narrower(inner);
        must(p.host.call("x").error().code() == shmipc::errc::cancelled);
    }
    std::thread stopper([&] { outer.stop(); });
    must(p.host.call("x", shmipc::type_normal, shmipc::forever).error().code() ==
         shmipc::errc::cancelled);
    stopper.join();
}

/* The log keeps its captures as long as the peer may write it. */
static void a_log_has_captures() {
    std::mutex lock;
    std::vector<std::string> lines;
    const auto log = [&](shmipc::log_level, std::string_view text) {
        std::lock_guard<std::mutex> held(lock);
        lines.emplace_back(text);
    };
    {
        shmipc::host_config config = testing::small_config();
        config.logger = log;
        shmipc::guest_config guest_config;
        guest_config.logger = log;
        const std::string name = testing::new_name();
        shmipc::host host = shmipc::host::create(name, config).value();
        config.logger = nullptr;
        shmipc::guest guest = shmipc::guest::attach(name, guest_config).value();
        must(guest.shutdown().has_value());
        must(host.next_event().has_value());
    }
    std::lock_guard<std::mutex> held(lock);
    must(!lines.empty());
}

/* The host may be destroyed while a handler runs on behind a shutdown that did not wait for it. */
static void a_handler_that_is_cut_off_outlives_its_peer() {
    std::optional<pair> p(std::in_place);
    std::atomic<bool> entered{false}, end{false}, returned{false};
    std::thread serving([&, guest = &p->guest] {
        (void)guest->serve([&](const shmipc::request &request, shmipc::response &) {
            entered = true;
            testing::eventually([&] { return end.load(); });
            must(request.text() == "x"); /* its bytes are still there */
        });
        returned = true;
    });
    shmipc::slot slot = p->host.claim().value();
    must(slot.send_copy("x").has_value());
    testing::eventually([&] { return entered.load(); });
    must(p->guest.shutdown(1ms).error().code() == shmipc::errc::timeout);
#ifndef _WIN32 /* there the other side hears of it when the handler has returned */
    must(slot.receive().error().code() == shmipc::errc::peer_died);
    must(slot.release().error().code() == shmipc::errc::stale);
    p.reset(); /* does not wait for the handler */
    must(!returned);
#endif
    end = true;
    serving.join();
}

static void dead_regions_are_found() {
    must(shmipc::dead_regions(testing::new_name().c_str()).value().empty());
    must(shmipc::remove_dead_regions(testing::new_name().c_str()).value() == 0);
    must(!shmipc::remove_dead_region(testing::new_name().c_str()));
    const std::string longer = testing::new_name() + '\0' + "x"; /* than C would see */
    must(shmipc::dead_regions(longer).error().code() == shmipc::errc::name);
    must(shmipc::remove_dead_regions(longer).error().code() == shmipc::errc::name);
    must(shmipc::remove_dead_region(longer).error().code() == shmipc::errc::name);
    must(shmipc::pin_thread(1u << 30).error().code() == shmipc::errc::invalid);
}

int main() {
    return testing::run(
        {SCENE(a_peer_that_cannot_be_created_says_why),
         SCENE(a_configuration_begins_with_its_defaults),
         SCENE(a_moved_peer_is_where_it_was_moved_to), SCENE(a_destructor_closes),
         SCENE(a_peer_tells_what_it_is), SCENE(serving_ends_by_token_and_wake),
         SCENE(a_scope_has_its_token_end_the_threads_waits), SCENE(a_log_has_captures),
         SCENE(a_handler_that_is_cut_off_outlives_its_peer), SCENE(dead_regions_are_found)});
}
