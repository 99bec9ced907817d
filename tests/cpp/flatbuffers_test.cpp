/*
 * FlatBuffers of every size, built in place or spilled, in buffers of many sizes: they arrive equal
 * and verified, or are refused. And what a builder does not do.
 */
#define FLATBUFFERS_MAX_ALIGNMENT 64

#include "cpp/pair.hpp"

#include <shmipc/flatbuffers.hpp>

#include <array>
#include <numeric>
#include <optional>
#include <set>
#include <vector>

using testing::pair;

/* The smallest FlatBuffer with contents: its root is a vector of bytes. */
struct blob : flatbuffers::Vector<std::uint8_t> {
    bool Verify(flatbuffers::Verifier &verifier) const { return verifier.VerifyVector(this); }
};

static void build(flatbuffers::FlatBufferBuilder &builder, const std::vector<std::uint8_t> &bytes,
                  std::size_t alignment) {
    builder.ForceVectorAlignment(bytes.size(), 1, alignment);
    builder.Finish(flatbuffers::Offset<blob>(builder.CreateVector(bytes).o));
}

/* FlatBuffers' verifier takes nothing of less than 12 bytes: an empty vector makes 8. */
static const blob &seen(shmipc::byte_view data, std::size_t alignment) {
    const blob *blob = shmipc::verified<::blob>(data);
    must((blob != nullptr) == (data.size() >= 12));
    if (!blob)
        blob = flatbuffers::GetRoot<::blob>(data.data());
    must(blob->size() == 0 || reinterpret_cast<std::uintptr_t>(blob->Data()) % alignment == 0);
    return *blob;
}

static bool equal(const blob &blob, const std::vector<std::uint8_t> &bytes) {
    return std::equal(blob.begin(), blob.end(), bytes.begin(), bytes.end());
}

static std::vector<std::uint8_t> pattern(std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    std::iota(bytes.begin(), bytes.end(), static_cast<std::uint8_t>(size));
    return bytes;
}

/* One call whose request and answer are the same FlatBuffer, which either exceeds both capacities
   or neither. */
static void call_with(shmipc::slot &slot, shmipc::peer &other, std::size_t size,
                      std::size_t alignment) {
    const std::vector<std::uint8_t> bytes = pattern(size);
    const std::size_t capacity = slot.buffer().size();
    const auto *end = reinterpret_cast<const std::uint8_t *>(slot.buffer().end());
    shmipc::request_builder builder(slot);
    build(builder, bytes, alignment);
    const std::size_t length = builder.GetSize();
    must(builder.spilled() == (length > capacity));
    must(builder.spilled() || builder.GetBufferPointer() == end - length);
    const auto sent = builder.send();
    must(sent.has_value() == (length <= capacity));
    if (!sent) {
        must(sent.error().code() == shmipc::errc::too_large);
        return;
    }
    const auto answer = [&](const shmipc::request &request, shmipc::response &response) {
        must(request.type() == shmipc::type_flatbuffer && request.data().size() == length);
        must(equal(seen(request.data(), alignment), bytes));
        shmipc::response_builder in_place(response);
        build(in_place, bytes, alignment);
        must(!in_place.spilled() && in_place.respond().has_value());
    };
    must(other.poll(answer).value() == 1);
    const shmipc::message received = slot.receive().value();
    must(received.type == shmipc::type_flatbuffer && received.data.size() == length);
    must(equal(seen(received.data, alignment), bytes));
}

static std::set<std::uint32_t> capacities() {
    std::set<std::uint32_t> all = {8, 12, 63, 65, 100, 1000, 1001, 4033, 4095};
    for (std::uint32_t capacity = 64; capacity <= 4096; capacity += capacity < 1024 ? 64 : 512)
        all.insert(capacity);
    return all;
}

static void sizes_of_a_capacity(std::uint32_t capacity, std::size_t alignment) {
    shmipc::host_config config = testing::small_config();
    config.request_capacity = config.response_capacity = capacity;
    pair p(config);
    shmipc::slot down = p.host.claim().value(), up = p.guest.claim().value();
    for (std::size_t size = 0; size <= down.buffer().size() + 8; size++) {
        call_with(down, p.guest, size, alignment);
        call_with(up, p.host, size, alignment);
    }
}

static void flatbuffers_of_every_size_arrive() {
    for (std::uint32_t capacity : capacities())
        for (std::size_t alignment : {1u, 8u, 64u})
            sizes_of_a_capacity(capacity, alignment);
}

static void flatbuffers_of_every_alignment_arrive() {
    for (std::size_t alignment : {2u, 4u, 16u, 32u})
        sizes_of_a_capacity(1000, alignment);
}

/* table { strings: [string]; }: builds with much scratch beside it. */
struct list : flatbuffers::Table {
    static constexpr flatbuffers::voffset_t strings_at = 4;
    const auto &strings() const {
        return *GetPointer<const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>> *>(
            strings_at);
    }
    bool Verify(flatbuffers::Verifier &verifier) const {
        return VerifyTableStart(verifier) && VerifyOffset(verifier, strings_at) &&
               verifier.VerifyVector(&strings()) && verifier.VerifyVectorOfStrings(&strings()) &&
               verifier.EndTable();
    }
};

static void build_list(flatbuffers::FlatBufferBuilder &builder, unsigned count) {
    std::vector<flatbuffers::Offset<flatbuffers::String>> strings;
    for (unsigned i = 0; i < count; i++)
        strings.push_back(builder.CreateSharedString(std::to_string(i)));
    const auto vector = builder.CreateVector(strings);
    const auto start = builder.StartTable();
    for (flatbuffers::voffset_t i = 40; i > 2; i--) /* each takes scratch until the table ends */
        builder.AddElement<std::uint8_t>(static_cast<flatbuffers::voffset_t>(2 * i), 1, 0);
    builder.AddOffset(list::strings_at, vector);
    builder.Finish(flatbuffers::Offset<list>(builder.EndTable(start)));
}

static void check_list(shmipc::byte_view data, unsigned count) {
    const auto *list = shmipc::verified<::list>(data);
    must(list && list->strings().size() == count);
    for (unsigned i = 0; i < count; i++)
        must(list->strings().Get(i)->str() == std::to_string(i));
}

/* A builder keeps scratch in the same buffer: what fits without it may spill, and is copied. */
static void a_message_that_outgrows_its_buffer_meanwhile_arrives() {
    pair p;
    shmipc::slot slot = p.host.claim().value();
    unsigned spilled = 0, refused = 0;
    for (unsigned count = 0; count < 100; count++) {
        shmipc::request_builder builder(slot);
        build_list(builder, count);
        const std::size_t length = builder.GetSize();
        const auto sent = builder.send();
        must(sent.has_value() == (length <= 1024));
        if (!sent) {
            refused++;
            continue;
        }
        spilled += builder.spilled() ? 1 : 0;
        build(builder, std::vector<std::uint8_t>(900, 0xff), 1); /* not where the sent one lies */
        must(p.guest.poll([&](const auto &request, auto &) { check_list(request.data(), count); })
                 .value() == 1);
        must(slot.receive().has_value());
    }
    must(spilled > 0 && refused > 0);
}

static void an_answer_that_is_too_large_is_refused() {
    pair p;
    shmipc::slot slot = p.host.claim().value();
    must(slot.send_copy("x").has_value());
    must(p.guest
             .poll([](auto &, auto &response) {
                 shmipc::response_builder builder(response);
                 build(builder, pattern(2000), 1);
                 must(builder.spilled());
                 must(builder.respond().error().code() == shmipc::errc::too_large);
             })
             .value() == 1);
    must(slot.receive().error().code() == shmipc::errc::too_large);
}

static void a_builder_sends_one_message() {
    pair p;
    shmipc::slot slot = p.host.claim().value();
    shmipc::request_builder builder(slot);
    must(builder.send().error().code() == shmipc::errc::invalid); /* not finished */
    build(builder, pattern(300), 1);
    must(builder.send(100).error().code() == shmipc::errc::type); /* and may be sent again */
    must(builder.send().has_value());
    must(builder.send().error().code() == shmipc::errc::state);

    build(builder, std::vector<std::uint8_t>(900, 0xff), 1); /* does not touch what is sent */
    must(builder.spilled());
    must(builder.send().error().code() == shmipc::errc::state);
    must(p.guest
             .poll([](const auto &request, auto &response) {
                 must(equal(seen(request.data(), 1), pattern(300)));
                 shmipc::response_builder answer(response);
                 must(answer.respond().error().code() == shmipc::errc::invalid);
                 build(answer, pattern(100), 1);
                 must(answer.respond(shmipc::type_application).has_value());
                 must(answer.respond().error().code() == shmipc::errc::state);
                 build(answer, std::vector<std::uint8_t>(400, 0xff), 1);
             })
             .value() == 1);
    const shmipc::message received = slot.receive().value();
    must(received.type == shmipc::type_application && equal(seen(received.data, 1), pattern(100)));
}

static void a_builder_may_begin_again() {
    pair p;
    shmipc::slot slot = p.host.claim().value();
    shmipc::request_builder builder(slot);
    build(builder, pattern(2000), 1);
    must(builder.spilled());
    builder.Reset();
    build(builder, pattern(200), 1);
    must(!builder.spilled());
    builder.Clear();
    build(builder, pattern(700), 1);
    must(!builder.spilled() && builder.send().has_value());
    must(p.guest
             .poll([](const auto &request, auto &) {
                 must(equal(seen(request.data(), 1), pattern(700)));
             })
             .value() == 1);
}

/* No builder of today asks for as much again while it has the buffer; a later one may. */
static void a_buffer_is_lent_once_at_a_time() {
    alignas(64) std::array<std::uint8_t, 64> buffer = {};
    shmipc::detail::buffer_allocator allocator(buffer);
    std::uint8_t *first = allocator.allocate(64), *second = allocator.allocate(64);
    must(first == buffer.data() && second != buffer.data() && allocator.spilled());
    allocator.deallocate(second, 64);
    allocator.deallocate(first, 64);
    must(allocator.allocate(64) == buffer.data() && !allocator.spilled());
    allocator.deallocate(buffer.data(), 64);
}

static void a_slot_that_is_busy_or_stale_is_not_written() {
    pair p;
    shmipc::slot slot = p.host.claim().value(), none;
    shmipc::request_builder nowhere(none);
    build(nowhere, pattern(100), 8);
    must(nowhere.send().error().code() == shmipc::errc::stale);

    must(slot.send_copy("under way").has_value());
    shmipc::request_builder late(slot);
    build(late, pattern(500), 8);
    must(late.send().error().code() == shmipc::errc::state);

    pair other; /* a slot that became another is not written, nor sent */
    shmipc::slot exchanged = other.host.claim().value();
    shmipc::request_builder before(exchanged);
    build(before, pattern(100), 8);
    exchanged = other.host.claim().value();
    must(before.send().error().code() == shmipc::errc::stale);
    must(exchanged.send_copy("fresh").has_value());
    must(p.guest.poll(testing::echo).value() == 1);
    must(slot.receive().value().data.text() == "under way");
}

static void a_message_that_is_no_flatbuffer_is_not_verified() {
    must(!shmipc::verified<blob>(shmipc::byte_view()));
    must(!shmipc::verified<blob>("not one"));
    flatbuffers::FlatBufferBuilder builder;
    build(builder, pattern(40), 1);
    const shmipc::byte_view whole(builder.GetBufferPointer(), builder.GetSize());
    must(shmipc::verified<blob>(whole) != nullptr);
    must(!shmipc::verified<blob>(whole, "NONE"));
    for (std::size_t size = 0; size < whole.size(); size++)
        must(!shmipc::verified<blob>(shmipc::byte_view(whole.data(), size)));
}

int main() {
    return testing::run(
        {SCENE(flatbuffers_of_every_size_arrive), SCENE(flatbuffers_of_every_alignment_arrive),
         SCENE(a_message_that_outgrows_its_buffer_meanwhile_arrives),
         SCENE(an_answer_that_is_too_large_is_refused), SCENE(a_builder_sends_one_message),
         SCENE(a_builder_may_begin_again), SCENE(a_buffer_is_lent_once_at_a_time),
         SCENE(a_slot_that_is_busy_or_stale_is_not_written),
         SCENE(a_message_that_is_no_flatbuffer_is_not_verified)});
}
