/* What calls allocate: only an answer that is owned and does not fit into the object. */
#include "cpp/pair.hpp"
#include "support/counting_new.hpp"

#include <array>
#include <shmipc/flatbuffers.hpp>

/* How many `act` makes. */
template <class Act> static int allocated(Act act) {
    const int before = testing::allocations();
    act();
    return testing::allocations() - before;
}

static void calls_allocate_nothing_but_large_answers() {
    testing::pair p;
    auto server = testing::serve(p.guest, testing::echo);
    std::array<char, 500> bytes{};
    const shmipc::byte_view small(bytes.data(), SHMIPC_INLINE);
    const shmipc::byte_view larger(bytes.data(), SHMIPC_INLINE + 1);
    must(allocated([&] { must(p.host.call(small).has_value()); }) == 0);
    must(allocated([&] { must(p.host.call(larger).has_value()); }) == 1);
    must(allocated([&] { must(p.host.call_into(bytes, bytes).has_value()); }) == 0);
    must(allocated([&] { must(!p.host.call("x", 100)); }) == 0);
    must(allocated([&] { must(p.host.claim().value().call(small).has_value()); }) == 0);
    must(allocated([&] {
             shmipc::slot slot = p.host.claim().value();
             must(slot.send_copy(bytes).has_value());
             must(shmipc::wait_any(std::array{std::move(slot)}).has_value());
         }) == 0);
}

static void handlers_allocate_nothing() {
    testing::pair p;
    shmipc::dispatcher dispatcher;
    dispatcher.on(128, testing::echo);
    shmipc::slot slot = p.host.claim().value();
    must(allocated([&] {
             must(slot.send_copy("x", 128).has_value());
             must(p.guest.poll(dispatcher).value() == 1);
             must(slot.receive().has_value());
         }) == 0);
}

static void a_flatbuffer_that_fits_allocates_nothing() {
    testing::pair p;
    shmipc::slot slot = p.host.claim().value();
    must(allocated([&] {
             shmipc::request_builder builder(slot);
             builder.Finish(builder.CreateString("a root of its own"));
             must(builder.send().has_value());
             must(p.guest
                      .poll([](auto &, auto &response) {
                          shmipc::response_builder answer(response);
                          answer.Finish(answer.CreateString("another"));
                          must(answer.respond().has_value());
                      })
                      .value() == 1);
             must(slot.receive().has_value());
         }) == 0);
}

int main() {
    return testing::run({SCENE(calls_allocate_nothing_but_large_answers),
                         SCENE(handlers_allocate_nothing),
                         SCENE(a_flatbuffer_that_fits_allocates_nothing)});
}
