#include "cpp_pair.hpp"

#include <shmipc/flatbuffers.hpp>

#include <vector>

extern "C" {
#include "flatbuffers.h"
}

namespace {

/* What the guest copies, in place of what it builds in place: see ../flatbuffers/main.go. */
constexpr shmipc::message_type type_copied = SHMIPC_TYPE_APPLICATION;

/* table Message { id:uint; payload:[ubyte]; } */
struct wire : flatbuffers::Table {
    static constexpr flatbuffers::voffset_t id_at = 4, payload_at = 6;

    std::uint32_t id() const { return GetField<std::uint32_t>(id_at, 0); }
    const flatbuffers::Vector<std::uint8_t> *payload() const {
        return GetPointer<const flatbuffers::Vector<std::uint8_t> *>(payload_at);
    }
    bool Verify(flatbuffers::Verifier &verifier) const {
        return VerifyTableStart(verifier) &&
               VerifyField<std::uint32_t>(verifier, id_at, sizeof(std::uint32_t)) &&
               VerifyOffset(verifier, payload_at) && verifier.VerifyVector(payload()) &&
               verifier.EndTable();
    }
};

void build(flatbuffers::FlatBufferBuilder &builder, std::uint32_t id,
           const std::vector<std::uint8_t> &payload) {
    const auto vector = builder.CreateVector(payload);
    const auto table = builder.StartTable();
    builder.AddElement<std::uint32_t>(wire::id_at, id, 0);
    builder.AddOffset(wire::payload_at, vector);
    builder.Finish(flatbuffers::Offset<wire>(builder.EndTable(table)));
}

/* A payload that makes the whole FlatBuffer this large. */
std::vector<std::uint8_t> payload_for(std::size_t bytes) {
    std::vector<std::uint8_t> payload(bytes, 7);
    flatbuffers::FlatBufferBuilder builder;
    for (build(builder, 1, payload); builder.GetSize() > bytes; build(builder, 1, payload)) {
        payload.pop_back();
        builder.Clear();
    }
    return payload;
}

struct calls {
    calls(cpp_pair &pair, std::size_t bytes)
        : slot(taken(pair.host.claim())), payload(payload_for(bytes)), back(bytes + 64) {}

    void check(const shmipc::result<shmipc::message> &answer, std::uint64_t id) const {
        expect(answer);
        const wire *seen = shmipc::verified<wire>(answer->data);
        if (!seen || seen->id() != static_cast<std::uint32_t>(id) + 1 ||
            seen->payload()->size() != payload.size()) {
            std::fputs("bench: the answer is another FlatBuffer\n", stderr);
            std::exit(EXIT_FAILURE);
        }
    }

    void in_place(std::uint64_t id) {
        shmipc::request_builder builder(slot);
        build(builder, static_cast<std::uint32_t>(id), payload);
        check(builder.call(), id);
    }

    void copied(std::uint64_t id) {
        own.Clear();
        build(own, static_cast<std::uint32_t>(id), payload);
        const shmipc::byte_view message(own.GetBufferPointer(), own.GetSize());
        check(slot.call_into(back, message, type_copied), id);
    }

    shmipc::slot slot;
    std::vector<std::uint8_t> payload;
    std::vector<std::uint64_t> back; /* aligned for what lies in it */
    flatbuffers::FlatBufferBuilder own;
};

template <void (calls::*call)(std::uint64_t)>
subject start(cpp_pair &pair, std::size_t bytes, const char *variant) {
    subject s = subject_of(pair, "flatbuffers", bytes, variant);
    s.self = new calls(pair, bytes);
    s.run = [](void *self, std::uint64_t count) {
        for (std::uint64_t i = 1; i <= count; i++)
            (static_cast<calls *>(self)->*call)(i);
    };
    s.stop = [](void *self) { delete static_cast<calls *>(self); };
    return s;
}

} // namespace

subject flatbuffers_start_in_place(cpp_pair *pair, std::size_t bytes) {
    return start<&calls::in_place>(*pair, bytes, "in place");
}

subject flatbuffers_start_copied(cpp_pair *pair, std::size_t bytes) {
    return start<&calls::copied>(*pair, bytes, "copied");
}
