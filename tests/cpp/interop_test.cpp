/*
 * FlatBuffers between C++ and Go, each side building in place, at every size around each capacity
 * and in both directions: each side verifies, or checks, what the other has built.
 */
#define FLATBUFFERS_MAX_ALIGNMENT 64 /* the schema takes less: the payload is aligned by hand */

#include "cpp/pair.hpp"
#include "message_generated.h"

#include <shmipc/flatbuffers.hpp>

extern "C" {
#include "interop/flatbuffers_script.h"
#include "support/processes.h"
}

#include <vector>

namespace {

namespace wire = shmipc_test;

std::uint32_t payload_of(std::uint64_t id) {
    return static_cast<std::uint32_t>(id);
}
std::uint32_t blocks_of(std::uint64_t id) {
    return static_cast<std::uint32_t>(id >> 32) & 0xffff;
}
std::size_t alignment_of(std::uint64_t id) {
    return (id >> 48) & 0xff;
}

std::vector<std::uint8_t> payload(std::uint64_t id) {
    std::vector<std::uint8_t> bytes(payload_of(id));
    for (std::size_t i = 0; i < bytes.size(); i++)
        bytes[i] = static_cast<std::uint8_t>(i * 7 + bytes.size());
    return bytes;
}

void build(flatbuffers::FlatBufferBuilder &builder, std::uint64_t id) {
    flatbuffers::Offset<flatbuffers::String> text;
    flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> bytes;
    flatbuffers::Offset<flatbuffers::Vector<const wire::Block *>> blocks;
    if (id & FB_TEXT)
        text = builder.CreateString(std::to_string(id));
    if (payload_of(id) > 0) {
        if (alignment_of(id) > 0)
            builder.ForceVectorAlignment(payload_of(id), 1, alignment_of(id));
        bytes = builder.CreateVector(payload(id));
    }
    if (blocks_of(id) > 0) {
        std::vector<wire::Block> all;
        for (std::uint64_t i = 0; i < blocks_of(id); i++)
            all.emplace_back(i, id ^ i, id ^ i, id ^ i);
        blocks = builder.CreateVectorOfStructs(all);
    }
    builder.Finish(wire::CreateMessage(builder, id, text, bytes, blocks));
}

bool is_aligned(const void *address, std::size_t alignment) {
    return alignment == 0 || reinterpret_cast<std::uintptr_t>(address) % alignment == 0;
}

/* Nothing, or what is not as it should be. */
const char *fault(shmipc::byte_view data, std::uint64_t id) {
    const auto *seen = shmipc::verified<wire::Message>(data);
    if (!seen || seen->id() != id)
        return "this is no Message, or another one";
    if (!is_aligned(data.end(), 64))
        return "the message does not end aligned";
    const std::vector<std::uint8_t> bytes = payload(id);
    const auto *got = seen->payload();
    if (got ? !std::equal(got->begin(), got->end(), bytes.begin(), bytes.end()) : !bytes.empty())
        return "another payload";
    if (got && !is_aligned(got->Data(), alignment_of(id)))
        return "the payload is not aligned";
    if ((id & FB_TEXT) ? seen->text()->str() != std::to_string(id) : seen->text() != nullptr)
        return "another text";
    const auto *blocks = seen->blocks();
    if ((blocks ? blocks->size() : 0) != blocks_of(id))
        return "another number of blocks";
    for (std::uint32_t i = 0; i < blocks_of(id); i++)
        if (blocks->Get(i)->number() != i || blocks->Get(i)->check() != (id ^ i) ||
            blocks->Get(i)->check_at_last() != (id ^ i) || !is_aligned(blocks->Get(i), 32))
            return "another block";
    return nullptr;
}

/* FB_HOST_ECHO: answers the message that it is sent, built anew. */
void answer_guest(const shmipc::request &request, shmipc::response &response) {
    const auto *seen = shmipc::verified<wire::Message>(request.data());
    if (!seen)
        return response.fail("this is no Message");
    if (const char *wrong = fault(request.data(), seen->id()))
        return response.fail(wrong);
    shmipc::response_builder builder(response);
    build(builder, seen->id());
    builder.respond(request.type()).value();
}

struct stage {
    explicit stage(std::uint32_t capacity) {
        shmipc::host_config config;
        config.host_slots = config.guest_slots = 2;
        config.request_capacity = config.response_capacity = capacity;
        const std::string name = testing::new_name();
        host = shmipc::host::create(name, config).value();
        server = testing::serve(host, answer_guest);
        const char *const arguments[] = {GO_GUEST, name.c_str(), nullptr};
        guest = process_start(arguments);
        host.wait_guests(1, std::chrono::seconds(20)).value();
        slot = host.claim().value();
    }
    ~stage() {
        must(slot.release().has_value());
        must(host.shutdown().has_value());
        must(process_wait(guest) == 0);
    }

    shmipc::host host;
    shmipc::server server;
    shmipc::slot slot;
    process guest;
};

std::uint64_t ask(stage &stage, flatbuffers_script what, std::uint64_t id) {
    return stage.host.call(shmipc::bytes_of(id), what).value().as<std::uint64_t>().value();
}

/* Built in C++, checked and built anew by Go, verified in C++. */
void there_and_back(stage &stage, std::uint64_t id) {
    const std::size_t capacity = stage.slot.buffer().size();
    const std::size_t answer = ask(stage, FB_SIZE, id);
    shmipc::request_builder builder(stage.slot);
    build(builder, id);
    const bool fits = builder.GetSize() <= capacity;
    const auto sent = builder.send(FB_ECHO);
    must(sent.has_value() == fits);
    must(fits || sent.error().code() == shmipc::errc::too_large);
    if (!fits)
        return;
    const auto answered = stage.slot.receive();
    must(answered.has_value() == (answer <= capacity));
    must(!answered || fault(answered->data, id) == nullptr);
}

/* Built in Go, verified and built anew in C++, checked by Go. */
void back_and_there(stage &stage, std::uint64_t id) {
    const std::size_t capacity = stage.slot.buffer().size();
    flatbuffers::FlatBufferBuilder here;
    build(here, id);
    const bool fits = ask(stage, FB_SIZE, id) <= capacity && here.GetSize() <= capacity;
    const auto called = stage.host.call(shmipc::bytes_of(id), FB_CALL_HOST);
    must(called.has_value() == fits);
    must(fits || called.error().code() == shmipc::errc::handler);
}

void messages_around(std::uint32_t capacity) {
    stage stage(capacity);
    for (std::uint64_t size = 0; size <= capacity + 100; size++)
        for (std::uint64_t id : {size, size | FB_ALIGNMENT(64) | FB_TEXT}) {
            there_and_back(stage, id);
            back_and_there(stage, id);
        }
    for (std::uint64_t count = 0; count <= capacity / 32 + 4; count++) {
        there_and_back(stage, FB_BLOCKS(count) | FB_TEXT | count);
        back_and_there(stage, FB_BLOCKS(count) | FB_TEXT | count);
    }
}

void messages_of_every_size_arrive() {
    for (std::uint32_t capacity : {8u, 64u, 100u, 128u, 1000u, 1024u})
        messages_around(capacity);
}

void messages_of_every_size_beside_4095_arrive() {
    messages_around(4095);
}

void messages_of_every_size_up_to_4096_arrive() {
    messages_around(4096);
}

} // namespace

int main() {
    return testing::run({SCENE(messages_of_every_size_arrive),
                         SCENE(messages_of_every_size_beside_4095_arrive),
                         SCENE(messages_of_every_size_up_to_4096_arrive)});
}
