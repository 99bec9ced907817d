/* Handlers: callables of every kind, what they throw, and what they answer. */
#include "cpp/pair.hpp"

#include <array>
#include <memory>
#include <stdexcept>
#include <vector>

using namespace std::chrono_literals;
using testing::echo;
using testing::pair;

/* What a host's call to a guest with this handler ends in. */
template <class Handler> static shmipc::result<shmipc::answer> ask(pair &p, Handler handler) {
    auto server = testing::serve(p.guest, std::move(handler));
    return p.host.call("question", 128);
}

static void a_handler_is_anything_that_can_be_called() {
    pair p;
    must(ask(p, echo).value().text() == "question");
    must(ask(p, &echo).value().text() == "question");
    int calls = 0;
    must(ask(p,
             [&calls](const auto &request, auto &response) {
                 calls++;
                 response.write(request.text().substr(0, 5));
             })
             .value()
             .text() == "quest");
    must(calls == 1);
    struct only_moves {
        std::unique_ptr<std::string> text = std::make_unique<std::string>("mine");
        void operator()(const shmipc::request &, shmipc::response &response) const {
            response.write(*text);
        }
    };
    must(ask(p, only_moves()).value().text() == "mine");
    const shmipc::handler_function stored = echo;
    must(ask(p, stored).value().text() == "question");
}

static void a_request_says_what_it_is() {
    pair p;
    must(ask(p,
             [&](const shmipc::request &request, shmipc::response &response) {
                 must(request.data().size() == 8 && request.text() == "question");
                 must(request.type() == 128 && request.peer() == 0 && request.slot() < 2);
                 must(!request.abandoned() && response.size() == 0 && response.capacity() == 512);
             })
             .value()
             .type() == shmipc::type_normal);
}

template <class Handler> static std::string failure_of(pair &p, Handler handler) {
    auto refused = ask(p, std::move(handler));
    must(!refused && refused.error().code() == shmipc::errc::handler);
    must(refused.error().what() ==
         "the handler failed: " + std::string(refused.error().handler_message()));
    return std::string(refused.error().handler_message());
}

static void an_exception_of_a_handler_is_the_callers_error() {
    pair p;
    must(failure_of(p, [](auto &, auto &response) {
             response.write("is forgotten");
             throw std::runtime_error("no such key");
         }) == "no such key");
    must(failure_of(p, [](auto &, auto &) { throw 42; }) ==
         "the handler threw something other than a std::exception");
    must(failure_of(p, [](auto &, auto &) { throw std::runtime_error(""); }).empty());
    must(ask(p, echo).value().text() == "question"); /* it goes on */
}

static void a_handler_says_that_it_fails() {
    pair p;
    {
        auto server =
            testing::serve(p.guest, [](auto &, auto &response) { response.fail("a\nb"); });
        std::array<char, 8> into{};
        auto refused = p.host.call_into(into);
        must(refused.error().handler_message() == "a\\nb" && refused.error().answer_size() == 3);
        must(std::string_view(into.data(), 3) == "a\nb");
    }
    must(failure_of(p, [](auto &, auto &response) { response.fail("not today"); }) == "not today");
    must(failure_of(p, [](auto &, auto &response) {
             response.write("a text that lies in the buffer");
             const auto *text = reinterpret_cast<const char *>(response.buffer().data());
             response.fail(std::string_view(text + 2, 4));
         }) == "text");
    must(failure_of(p, [](auto &, auto &response) {
             response.fail(std::string(response.capacity() + 1, 'x'));
         }).size() == 400);
}

/* A result that a handler returns counts; too_large of the answer reaches the caller as what it is,
   that of a call which the handler made is the handler's failure. */
static void a_handler_may_return_a_result() {
    pair p;
    using result = shmipc::result<void>;
    must(ask(p,
             [](auto &, auto &response) -> result {
                 response.write("fine");
                 return {};
             })
             .value()
             .text() == "fine");
    must(failure_of(p, [](auto &, auto &) -> result {
             return shmipc::error(shmipc::errc::invalid, "not so");
         }) == "not so");
    const auto asks_too_much = [](auto &, auto &response) -> result {
        response.write("is forgotten");
        return shmipc::error(shmipc::errc::too_large, "of another message");
    };
    must(failure_of(p, asks_too_much) == "of another message");
    shmipc::dispatcher dispatcher;
    dispatcher.on(128, asks_too_much);
    must(failure_of(p, dispatcher) == "of another message");
    dispatcher.on(128, [](auto &, auto &) -> result {
        return shmipc::error(shmipc::errc::state, "in the dispatcher");
    });
    must(failure_of(p, dispatcher) == "in the dispatcher");
    must(ask(p,
             [](auto &, auto &response) -> result {
                 response.set_length(10000);
                 return shmipc::error(shmipc::errc::too_large, "");
             })
             .error()
             .code() == shmipc::errc::too_large);
}

static void an_answer_is_never_cut() {
    pair p;
    for (std::size_t size : {std::size_t{512}, std::size_t{513}}) {
        auto answer = ask(p, [size](const auto &, auto &response) {
            const std::string part(size - 100, 'x');
            must(response.write(part) && response.size() == size - 100);
            must(response.write(std::string(100, 'y')) == (size <= 512));
            must(size <= 512 || !response.write("z"));
        });
        must(answer.has_value() == (size <= 512));
        must(answer ? answer->size() == size : answer.error().code() == shmipc::errc::too_large);
    }
    auto answer = ask(p, [](const auto &, auto &response) { response.set_length(10000); });
    must(answer.error().code() == shmipc::errc::too_large);
}

static void an_answer_is_built_in_place() {
    pair p;
    for (std::uint32_t flags : {std::uint32_t{0}, shmipc::align_end})
        must(ask(p,
                 [flags](const auto &, auto &response) {
                     shmipc::byte_span to = response.buffer();
                     std::memcpy(flags ? to.end() - 200 : to.data(), std::string(200, 'p').data(),
                                 200);
                     response.set_length(200, flags);
                 })
                 .value()
                 .text() == std::string(200, 'p'));
}

/* What lies at the buffer's end is followed by what is written, and by nothing that lay there. */
static void an_answer_in_place_may_be_appended_to() {
    pair p;
    must(ask(p,
             [](const auto &, auto &response) {
                 std::memcpy(response.buffer().end() - 4, "tail", 4);
                 response.set_length(4, shmipc::align_end);
                 must(response.write(" and more"));
             })
             .value()
             .text() == "tail and more");
}

/* The handler has failed: nothing more is said. */
static void a_failure_is_the_last_word() {
    pair p;
    must(failure_of(p, [](auto &, auto &response) {
             response.fail("no");
             (void)response.write(" MORE");
         }) == "no");
}

/* A handler that takes its response by value would fail a copy, and the caller get an answer. */
static_assert(!std::is_copy_constructible_v<shmipc::response>);

static void a_dispatcher_chooses_by_type() {
    pair p;
    enum class kind { reverse = 128, none };
    shmipc::dispatcher dispatcher;
    dispatcher.on(kind::none, echo)
        .on(127, echo)
        .on(kind::reverse, [](auto &, auto &response) { response.fail("is replaced"); })
        .on(kind::reverse, [](const auto &request, auto &response) {
            response.write(std::string(request.text().rbegin(), request.text().rend()));
        });
    must(ask(p, dispatcher).value().text() == "noitseuq");

    shmipc::dispatcher empty;
    must(failure_of(p, empty) == "no handler for message type 128");
    empty.otherwise(echo);
    must(ask(p, empty).value().type() == 128);
}

static void poll_serves_what_is_there() {
    pair p;
    must(p.guest.poll(echo).value() == 0);
    must(p.guest.wait(0s).error().code() == shmipc::errc::timeout);
    shmipc::slot slot = p.host.claim().value();
    must(slot.send_copy("x").has_value());
    must(p.guest.wait().has_value());
    must(p.guest.poll(echo).value() == 1);
    must(slot.receive().value().data.text() == "x");
}

int main() {
    return testing::run(
        {SCENE(a_handler_is_anything_that_can_be_called), SCENE(a_request_says_what_it_is),
         SCENE(an_exception_of_a_handler_is_the_callers_error), SCENE(a_handler_says_that_it_fails),
         SCENE(a_handler_may_return_a_result), SCENE(an_answer_is_never_cut),
         SCENE(an_answer_is_built_in_place), SCENE(an_answer_in_place_may_be_appended_to),
         SCENE(a_failure_is_the_last_word), SCENE(a_dispatcher_chooses_by_type),
         SCENE(poll_serves_what_is_there)});
}
