/* Calls that copy: of hosts, guests and slots. */
#include "cpp/pair.hpp"

#include <cstdint>
#include <vector>

using namespace std::chrono_literals;
using testing::echo;
using testing::pair;

static bool aligned(const void *address, std::size_t alignment) {
    return reinterpret_cast<std::uintptr_t>(address) % alignment == 0;
}

static void answers_of_every_size_are_owned_and_aligned() {
    pair p;
    auto server = testing::serve(p.guest, echo);
    auto slot = p.host.claim().value();
    for (std::size_t size = 0; size <= 500; size++) {
        const std::string bytes(size, static_cast<char>('a' + size % 26));
        shmipc::answer answer = p.host.call(bytes, 128).value();
        must(answer.text() == bytes && answer.type() == 128);
        must(aligned(answer.data(), 64));

        shmipc::answer moved = std::move(answer);
        must(moved.text() == bytes && moved.type() == 128 && aligned(moved.data(), 64));
        // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): that is asked
        must(answer.size() == 0);
        moved = slot.call("other").value();
        must(moved.text() == "other" && aligned(moved.data(), 64));
    }
}

static void an_answer_goes_into_a_span_or_is_too_large_for_it() {
    pair p;
    auto server = testing::serve(p.guest, echo);
    std::vector<std::uint8_t> into(10);
    shmipc::message answer = p.host.call_into(into, "0123456789", 200).value();
    must(answer.data.text() == "0123456789" && answer.type == 200);
    must(static_cast<const void *>(answer.data.data()) == into.data());

    auto refused = p.host.call_into(into, "0123456789A");
    must(!refused && refused.error().code() == shmipc::errc::too_large);
    must(refused.error().answer_size() == 11);
    refused = p.host.call_into({}, "");
    must(refused.has_value() && refused->data.empty());
}

static void both_directions_call() {
    pair p;
    auto server = testing::serve(p.host, echo);
    must(p.guest.call("up").value().text() == "up");
}

static void errors_are_those_of_c() {
    pair p;
    const std::vector<char> large(1025);
    auto refused = p.host.call(large);
    must(!refused && refused.error().code() == shmipc::errc::too_large);
    must(refused.error() == std::errc::message_size && refused.error().answer_size() == 0);
    must(p.host.call("x", 100).error().code() == shmipc::errc::type);
    must(p.host.call("x", 0, 0s).error().code() == shmipc::errc::timeout);
    const auto past = std::chrono::steady_clock::now() - 1h;
    must(p.host.call("x", 0, past - std::chrono::steady_clock::now()).error() ==
         std::errc::timed_out);
    must(p.host.call("x", 0, 1s, shmipc::align_end).error().code() == shmipc::errc::invalid);
    must(p.guest.shutdown().has_value());
    must(p.host.call("x").error().code() == shmipc::errc::no_peer);
}

static void a_call_may_wait_for_a_guest_to_come() {
    pair p;
    must(p.guest.close().has_value());
    std::thread caller(
        [&] { must(p.host.call("x", 0, 60s, shmipc::wait_ready).value().text() == "x"); });
    shmipc::guest late = shmipc::guest::attach(p.name).value();
    auto server = testing::serve(late, echo);
    caller.join();
}

static void a_peer_that_is_none_refuses_every_call() {
    shmipc::host none;
    must(none.native() == nullptr);
    must(none.call("x").error().code() == shmipc::errc::invalid);
    must(none.claim().error().code() == shmipc::errc::invalid);
    must(none.wait_guests(1, 0s).error().code() == shmipc::errc::invalid);
    must(none.info().error().code() == shmipc::errc::invalid);
    must(none.stats().error().code() == shmipc::errc::invalid);
    must(none.serve(echo).code() == shmipc::errc::invalid);
    must(none.poll(echo).error().code() == shmipc::errc::invalid);
    must(none.wake().error().code() == shmipc::errc::invalid);
    must(none.next_event(0s).error().code() == shmipc::errc::invalid);
    must(none.ping().error().code() == shmipc::errc::invalid);
    must(none.shutdown().error().code() == shmipc::errc::invalid);
    must(none.close().has_value());
    must(!shmipc::server::start(none, 1, echo));
}

int main() {
    return testing::run({SCENE(answers_of_every_size_are_owned_and_aligned),
                         SCENE(an_answer_goes_into_a_span_or_is_too_large_for_it),
                         SCENE(both_directions_call), SCENE(errors_are_those_of_c),
                         SCENE(a_call_may_wait_for_a_guest_to_come),
                         SCENE(a_peer_that_is_none_refuses_every_call)});
}
