/*
 * Most of the C++ API once, to be compiled by many compilers and in many ways: nothing here is run.
 * FlatBuffers are built and read without a compiled schema, for every version of its headers.
 */
#include <shmipc/shmipc.hpp>

#include <shmipc/flatbuffers.hpp>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#if defined(__cpp_lib_span)
#include <span>
#endif

namespace {

using namespace std::chrono_literals;

enum class kind : unsigned { ask = SHMIPC_TYPE_APPLICATION, tell };

struct plain {
    int number;
    double fraction;
};

/* A table without fields, in any version. */
struct table : flatbuffers::Table {
    template <class Verifier> bool Verify(Verifier &verifier) const {
        return VerifyTableStart(verifier) && verifier.EndTable();
    }
};

flatbuffers::Offset<table> build(flatbuffers::FlatBufferBuilder &builder) {
    return flatbuffers::Offset<table>(builder.EndTable(builder.StartTable()));
}

struct echo {
    void operator()(const shmipc::request &request, shmipc::response &response) const {
        if (request.abandoned())
            return;
        response.set_type(request.type());
        if (!response.write(request.data()))
            response.fail("too long");
    }
};

void answer_with_a_flatbuffer(const shmipc::request &request, shmipc::response &response) {
    if (!shmipc::verified<table>(request.data(), "USED"))
        return response.fail("no table");
    shmipc::response_builder builder(response);
    builder.Finish(build(builder), "USED");
    if (builder.spilled() || !builder.respond())
        response.fail("no room");
}

bool bytes() {
    const std::string text = "text";
    const std::vector<int> numbers = {1, 2, 3};
    const std::array<plain, 2> objects = {};
    std::array<char, 16> room = {};
    std::vector<std::byte> heap(16);
    const plain object = {1, 2.0};
    const shmipc::byte_view views[] = {"literal",
                                       text,
                                       std::string_view(text),
                                       numbers,
                                       objects,
                                       {&object, sizeof object},
                                       shmipc::bytes_of(object)};
    const shmipc::byte_span spans[] = {room, heap, {room.data(), room.size()}};
#if defined(__cpp_lib_span)
    const std::span<const std::byte> as_span = views[0];
    const std::span<std::byte> as_writable = spans[0];
    if (shmipc::byte_view(as_span).size() != 7 || shmipc::byte_span(as_writable).empty())
        return false;
#endif
    return views[0].text() == "literal" && spans[0].size() == 16 && views[6].as<plain>();
}

shmipc::result<void> call(shmipc::peer &peer) {
    const auto answer = peer.call("question", kind::ask, 10ms, shmipc::wait_ready);
    if (!answer)
        return answer.error();
    std::array<std::byte, 64> room = {};
    const auto message = peer.call_into(room, answer->text(), answer->type());
    if (!message)
        return message.error();
    if (message->type != kind::ask || message->data.size() != answer->size() || answer->as<plain>())
        return shmipc::error(shmipc::errc::type, "another type");
    return {};
}

shmipc::result<void> in_slots(shmipc::peer &peer) {
    std::vector<shmipc::slot> slots;
    for (int i = 0; i < 2; i++) {
        auto slot = peer.claim(shmipc::forever);
        if (!slot)
            return slot.error();
        slots.push_back(*std::move(slot));
    }
    if (auto sent = slots[0].send(slots[0].buffer().size(), kind::tell, shmipc::align_end); !sent)
        return sent;
    if (auto sent = slots[1].send_copy("bytes"); !sent)
        return sent;
    const auto which = shmipc::wait_any(slots, 0, 1s);
    if (!which)
        return which.error();
    if (!slots[*which].ready())
        return slots[*which].cancel();
    if (const auto message = slots[*which].receive(-1ms); !message)
        return message.error();
    if (const auto answer = slots[*which].call("once more"); !answer)
        return answer.error();
    return slots[*which].release();
}

shmipc::result<std::size_t> with_flatbuffers(shmipc::peer &peer) {
    auto slot = peer.claim();
    if (!slot)
        return slot.error();
    shmipc::request_builder first(*slot);
    first.Finish(build(first), "USED");
    const auto message = first.call();
    if (!message)
        return message.error();
    shmipc::request_builder second(*slot);
    second.Finish(build(second));
    if (auto sent = second.send(kind::tell); !sent)
        return sent.error();
    return shmipc::verified<table>(message->data) ? message->data.size() : 0;
}

shmipc::error serve(shmipc::guest &guest, shmipc::stop_token &token) {
    int count = 0;
    const auto counting = [&count](const shmipc::request &, shmipc::response &) { count++; };
    if (const auto served = guest.poll(counting); !served)
        return served.error();
    if (token.stopped())
        token.stop();
    shmipc::dispatcher dispatcher;
    dispatcher.on(kind::ask, echo())
        .on(shmipc::type_flatbuffer, answer_with_a_flatbuffer)
        .otherwise(counting);
    if (const auto ended = guest.serve(dispatcher, token); ended.code() != shmipc::errc::cancelled)
        return ended;
    return guest.serve(echo());
}

shmipc::result<void> look(shmipc::peer &peer) {
    const auto info = peer.info();
    const auto stats = peer.stats();
    const auto slot_stats = peer.stats(0);
    const auto event = peer.next_event(0ms);
    const auto rtt = peer.ping(1s);
    if (!info || !stats || !slot_stats || !event || !rtt)
        return info.error();
    if (auto waited = peer.wait(*rtt); !waited)
        return peer.wake();
    return peer.close();
}

shmipc::result<void> remains() {
    const auto names = shmipc::dead_regions("usage");
    if (!names)
        return names.error();
    for (const std::string &name : *names)
        if (auto removed = shmipc::remove_dead_region(name.c_str()); !removed)
            return removed;
    const auto removed = shmipc::remove_dead_regions("usage");
    return removed ? shmipc::pin_thread(0) : removed.error();
}

shmipc::result<void> hosts() {
    auto made = shmipc::finder::create("usage");
    if (!made)
        return made.error();
    shmipc::finder finder;
    finder = *std::move(made);
    if (auto descriptor = finder.descriptor(); !descriptor)
        return descriptor.error();
    for (;;) {
        const auto name = finder.next();
        if (!name || !*name)
            return name ? shmipc::result<void>() : name.error();
        if (auto guest = shmipc::guest::attach(**name, {}, 0ms); !guest)
            return guest.error();
    }
}

bool says(const shmipc::error &error) {
    const std::error_code code = error;
    return code == shmipc::errc::timeout || code == std::errc::timed_out ||
           code.category() == shmipc::category() || error.os_error() != 0 ||
           error.answer_size() != 0 || !error.handler_message().empty() || *error.what();
}

} // namespace

bool use(const char *name);

bool use(const char *name) {
    shmipc::host_config host_config;
    host_config.host_slots = 2;
    host_config.logger = [name](shmipc::log_level, std::string_view text) { (void)(text == name); };
    shmipc::stop_token token;
    shmipc::guest_config guest_config;
    guest_config.stop = token.native();
    auto host = shmipc::host::create(name, host_config);
    auto guest = shmipc::guest::attach(std::string(name), guest_config, 1min);
    if (!host || !guest)
        return false;
    if (auto waited = host->wait_guests(1); !waited)
        return says(waited.error());
    shmipc::host moved = *std::move(host);
    const bool done = bytes() && call(moved) && in_slots(moved) && with_flatbuffers(moved) &&
                      look(*guest) && remains() && hosts() && says(serve(*guest, token));
#if SHMIPC_THREADS
    auto server = shmipc::server::start(*guest, 2, echo());
    if (!server || says(server->wait()))
        return false;
    server->stop();
#endif
    call(moved).value();
    return done && moved.shutdown(1s);
}
