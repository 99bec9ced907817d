/* Slots: without copies, in flight, and what becomes of them. */
#include "cpp/pair.hpp"

#include <array>
#include <optional>
#include <vector>

using namespace std::chrono_literals;
using testing::echo;
using testing::pair;

static void a_slot_sends_and_receives_in_place() {
    pair p;
    auto server = testing::serve(p.guest, echo);
    shmipc::slot slot = p.host.claim().value();
    for (std::uint32_t flags : {std::uint32_t{0}, shmipc::align_end}) {
        shmipc::byte_span buffer = slot.buffer();
        must(buffer.size() == 1024);
        std::memcpy(flags ? buffer.end() - 3 : buffer.data(), "abc", 3);
        must(slot.send(3, 130, flags).has_value());
        must(slot.buffer().empty()); /* it is the other side's now */
        must(slot.send(3).error().code() == shmipc::errc::state);
        shmipc::message answer = slot.receive().value();
        must(answer.data.text() == "abc" && answer.type == 130);
        must(slot.send_copy("copied", 131, flags).has_value());
        must(slot.receive().value().text() == "copied");
    }
    must(slot.send_copy(std::vector<char>(1025)).error().code() == shmipc::errc::too_large);
    must(slot.call("x").value().text() == "x"); /* it is still claimed */
    std::array<char, 8> into{};
    must(slot.call_into(into, "y").value().text() == "y");
}

static void ready_says_when_the_answer_is_there() {
    pair p;
    shmipc::slot slot = p.host.claim().value();
    must(slot.ready()); /* receive() would return at once: nothing was sent */
    must(slot.send_copy("x").has_value() && !slot.ready());
    must(p.guest.poll(echo).value() == 1);
    must(slot.ready());
}

static void a_failure_is_there_as_the_handler_wrote_it() {
    pair p;
    const std::string message = "first\nsecond" + std::string(480, '!');
    shmipc::slot slot = p.host.claim().value();
    must(slot.send_copy("x").has_value() && slot.failure().empty());
    must(p.guest.poll([&](auto &, auto &response) { response.fail(message); }).value() == 1);
    must(slot.receive().error().code() == shmipc::errc::handler);
    must(slot.failure().text() == message);
    const shmipc::slot moved = std::move(slot);
    must(moved.failure().text() == message);
}

static void a_destructor_gives_the_slot_back() {
    pair p;
    std::optional<shmipc::slot> first = p.host.claim().value(), second = p.host.claim().value();
    must(p.host.claim(0s).error().code() == shmipc::errc::timeout);
    first.reset();
    shmipc::slot third = p.host.claim(0s).value();
    must(second->send_copy("never answered").has_value());
    second.reset();
    third = p.host.claim().value(); /* what it had is given back too */
    shmipc::slot fourth = p.host.claim().value();
    must(third.release().has_value());
    must(third.release().error().code() == shmipc::errc::stale);
}

static void a_slot_that_is_none_is_stale() {
    pair p;
    shmipc::slot none, taken = p.host.claim().value(), moved = std::move(taken);
    // NOLINTNEXTLINE(bugprone-use-after-move): that is what is asked
    for (shmipc::slot *slot : {&none, &taken}) {
        must(slot->buffer().empty());
        must(slot->send(0).error().code() == shmipc::errc::stale);
        must(slot->send_copy("x").error().code() == shmipc::errc::stale);
        must(slot->receive().error().code() == shmipc::errc::stale);
        must(slot->ready());
        must(slot->cancel().error().code() == shmipc::errc::stale);
        must(slot->release().error().code() == shmipc::errc::stale);
        must(slot->call("x").error().code() == shmipc::errc::stale);
    }
    must(moved.send_copy("x").has_value());
}

/* Not as the failure before it, whose sentence C keeps. */
static void giving_back_fails_with_a_sentence_of_its_own() {
    pair p;
    shmipc::slot slot = p.host.claim().value();
    must(slot.release().has_value());
    must(shmipc::host::create("a/b").error().code() == shmipc::errc::name);
    const std::string_view stale = shmipc_strerror(SHMIPC_E_STALE);
    for (const auto &refused : {slot.release(), slot.cancel()}) {
        must(refused.error().code() == shmipc::errc::stale && refused.error().what() == stale);
        must(refused.error().os_error() == 0);
    }
    auto server = testing::serve(p.guest, [&](auto &, auto &) {
        must(shmipc::host::create("a/b").error().code() == shmipc::errc::name);
        must(p.guest.close().error().what() == std::string_view(shmipc_strerror(SHMIPC_E_STATE)));
    });
    must(p.host.call("x").has_value());
}

static void another_thread_cancels() {
    pair p;
    shmipc::slot slot = p.host.claim().value();
    must(slot.send_copy("x").has_value());
    std::thread other([&] { must(slot.cancel().has_value()); });
    must(slot.receive(60s).error() == std::errc::operation_canceled);
    other.join();
}

static void a_slot_outlives_its_peer() {
    std::optional<pair> p(std::in_place);
    shmipc::slot idle = p->host.claim().value(), sent = p->host.claim().value();
    shmipc::byte_span buffer = idle.buffer();
    must(sent.send_copy("x").has_value());
    p.reset();
    std::memset(buffer.data(), 1, buffer.size()); /* its bytes are there as long as it is */
    must(idle.send(1).error().code() == shmipc::errc::closed ||
         idle.send(1).error().code() == shmipc::errc::stale);
    must(!sent.receive(0s));
    must(!idle.call("x", 0, 0s));
}

static void each_of_many_is_found(std::uint32_t count) {
    shmipc::host_config config = testing::small_config();
    config.host_slots = count;
    pair p(config);
    std::vector<shmipc::slot> slots;
    for (std::uint32_t i = 0; i < count; i++)
        slots.push_back(p.host.claim().value());
    must(shmipc::wait_any(slots, 0, 0s).error().code() == shmipc::errc::state);
    for (shmipc::slot &slot : slots)
        must(slot.send_copy("x").has_value());
    must(shmipc::wait_any(slots, 0, 0s).error().code() == shmipc::errc::timeout);

    must(slots.back().cancel().has_value());
    must(shmipc::wait_any(slots).value() == count - 1);
    must(!slots.back().receive());
    must(p.guest.poll(echo).value() == count - 1);
    std::size_t last = 0;
    for (std::uint32_t i = 0; i + 1 < count; i++) {
        last = shmipc::wait_any(slots, last, 60s).value();
        must(last == i && slots[last].receive().value().text() == "x");
        last++;
    }
}

static void any_of_few_is_found() {
    each_of_many_is_found(2);
    each_of_many_is_found(64);
}

static void any_of_very_many_is_found() {
    each_of_many_is_found(65);
    each_of_many_is_found(SHMIPC_SLOTS_MAX);
    const std::vector<shmipc::slot> too_many(SHMIPC_SLOTS_MAX + 1);
    must(shmipc::wait_any(too_many).error().code() == shmipc::errc::invalid);
    must(shmipc::wait_any(std::vector<shmipc::slot>()).error().code() == shmipc::errc::invalid);
}

static void the_look_begins_where_it_is_told() {
    pair p;
    const shmipc::slot slots[] = {p.host.claim().value(), p.host.claim().value()};
    for (const shmipc::slot &slot : slots)
        must(shmipc_slot_send(slot.native(), 0, 0, 0) == 0);
    must(p.guest.poll(echo).value() == 2);
    must(shmipc::wait_any(slots, 1, 0s).value() == 1);
    must(shmipc::wait_any(slots, 2, 0s).value() == 0);
}

static void an_array_of_slots_will_do() {
    pair p;
    shmipc::slot slots[] = {p.host.claim().value(), shmipc::slot()};
    must(slots[0].send_copy("x").has_value());
    must(p.guest.poll(echo).value() == 1);
    must(shmipc::wait_any(slots, 1, 0s).value() == 0);
}

int main() {
    return testing::run(
        {SCENE(a_slot_sends_and_receives_in_place), SCENE(ready_says_when_the_answer_is_there),
         SCENE(a_failure_is_there_as_the_handler_wrote_it), SCENE(a_destructor_gives_the_slot_back),
         SCENE(a_slot_that_is_none_is_stale), SCENE(giving_back_fails_with_a_sentence_of_its_own),
         SCENE(another_thread_cancels), SCENE(a_slot_outlives_its_peer), SCENE(any_of_few_is_found),
         SCENE(any_of_very_many_is_found), SCENE(the_look_begins_where_it_is_told),
         SCENE(an_array_of_slots_will_do)});
}
