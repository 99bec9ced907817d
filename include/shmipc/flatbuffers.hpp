/*
 * FlatBuffers that are built and read in shared memory, without copies. C++17, used with shmipc.hpp
 * and the FlatBuffers library, 2.0 or later.
 *
 *     auto slot = host.claim();                         // the caller
 *     shmipc::request_builder builder(*slot);
 *     builder.Finish(CreateQuestion(builder, 42));
 *     auto answer = builder.call();
 *     if (auto *reply = answer ? shmipc::verified<Reply>(answer->data) : nullptr)
 *         use(reply->text());
 *
 *     [](const auto &request, auto &response) {         // the handler
 *         auto *question = shmipc::verified<Question>(request.data());
 *         if (!question)
 *             return response.fail("this is no Question");
 *         shmipc::response_builder builder(response);
 *         builder.Finish(CreateReply(builder, builder.CreateString("yes")));
 *         builder.respond();
 *     }
 *
 * A builder is a flatbuffers::FlatBufferBuilder whose memory is the slot's request buffer, or the
 * handler's response buffer. It builds one message, from the buffer's end downwards, and sends it
 * there. FlatBuffers keeps its temporary field offsets in the same memory while it builds, so a
 * message that nearly fills the buffer may outgrow it meanwhile. Then the message moves to the heap
 * (spilled() says so) and is copied back when it is sent. A message that is larger than the buffer
 * is refused with errc::too_large, and nothing is sent.
 *
 * For the other side the end of a message of any length is aligned to 64, so force_align up to 64
 * holds.
 *
 * A builder belongs to one thread. Do not copy or move it, not even as the FlatBufferBuilder that
 * it is, and do not release its memory. The slot must outlive its builder, and must not be used in
 * another way, as by a second builder, until this one has sent. A handler's builder ends with the
 * handler.
 *
 * Trust. FlatBufferBuilder reads its own bytes back without checks, and here the other side could
 * change them meanwhile: build in place only for a side that you trust. For any other side build
 * with a FlatBufferBuilder of your own, and send the result by call() or slot::send_copy.
 */
#ifndef SHMIPC_FLATBUFFERS_HPP
#define SHMIPC_FLATBUFFERS_HPP

#include "shmipc.hpp"

#include <array>
#include <cstdio>
#include <flatbuffers/flatbuffers.h>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {
namespace detail {

/* Gives a builder the existing buffer, once, if it asks for exactly its size; all other memory
   comes from the heap. So the builder's memory ends where the buffer ends. */
class buffer_allocator final : public flatbuffers::Allocator {
public:
    explicit buffer_allocator(byte_span buffer) noexcept : buffer_(buffer) {}

    std::uint8_t *allocate(std::size_t size) override {
        spilled_ = in_use_ || sent_ || size != buffer_.size();
        if (spilled_)
            return static_cast<std::uint8_t *>(::operator new(size, alignment));
        in_use_ = true;
        return begin();
    }

    void deallocate(std::uint8_t *memory, std::size_t) override {
        if (memory != begin())
            ::operator delete(memory, alignment);
        else
            in_use_ = false; /* a reset builder begins here again, unless it has sent */
    }

    byte_span buffer() const noexcept { return buffer_; }
    bool spilled() const noexcept { return spilled_; }

    /* The message is sent: the buffer is no longer the builder's. */
    void retire() noexcept { sent_ = true; }
    bool sent() const noexcept { return sent_; }

private:
    static constexpr std::align_val_t alignment{64};

    std::uint8_t *begin() const noexcept {
        return reinterpret_cast<std::uint8_t *>(buffer_.data());
    }

    byte_span buffer_;
    bool in_use_ = false;  /* written by allocate() and deallocate() */
    bool spilled_ = false; /* by allocate() */
    bool sent_ = false;    /* by retire() */
};

/* A base before the builder's, so that the allocator is constructed before it and destroyed after
   it. */
struct allocator_base {
    explicit allocator_base(byte_span buffer) noexcept : allocator(buffer) {}
    buffer_allocator allocator;
};

/* The common part of both builders. */
class placed_builder : private allocator_base, public flatbuffers::FlatBufferBuilder {
    using builder =
        flatbuffers::FlatBufferBuilder; /* in later versions the name of a template's instance */

public:
    placed_builder(const placed_builder &) = delete;
    placed_builder &operator=(const placed_builder &) = delete;

    /* True if the message has moved to the heap, and will be copied when it is sent. */
    bool spilled() const noexcept { return allocator.spilled(); }

    /* The memory is lent: it cannot be released. */
    flatbuffers::DetachedBuffer Release() = delete;
    std::uint8_t *ReleaseRaw(std::size_t &, std::size_t &) = delete;

protected:
    /* A builder first asks for the size given here, unless its first object is larger. A slot that
       cannot be sent has an empty buffer. */
    explicit placed_builder(byte_span buffer)
        : allocator_base(buffer), builder(buffer.empty() ? 1024 : buffer.size(), &allocator) {}
    ~placed_builder() = default;

    byte_span lent() const noexcept { return allocator.buffer(); }

    /* Brings the message to the buffer's end. Returns its size, or the reason why it cannot be
       sent. */
    result<std::size_t> place() noexcept {
        if (allocator.sent())
            return error(errc::state, "this builder has sent its message: it builds one");
        if (!finished)
            return error(errc::invalid, "the FlatBuffer is not finished: call Finish first");
        const byte_span to = lent();
        const std::size_t size = GetSize();
        if (size > to.size())
            return size; /* sending refuses it, with a sentence */
        if (byte_view from(GetBufferPointer(), size); from.data() != to.end() - size)
            std::memcpy(to.end() - size, from.data(), size);
        return size;
    }

    /* Later messages are built elsewhere. */
    void retire() {
        allocator.retire();
        Reset();
    }
};

} // namespace detail

/* Builds a request in a slot's request buffer. */
class request_builder : public detail::placed_builder {
public:
    /* A slot that is stale, or whose request is under way, is refused when the message is sent. */
    SHMIPC_LOCAL explicit request_builder(slot &slot)
        : placed_builder(slot.buffer()), slot_(slot) {}

    /* Sends the message and returns at once; slot::receive gives the answer. It may be sent again
       only after an error. Errors: as slot::send, and invalid (it is not finished) and state (it
       was sent before). */
    SHMIPC_LOCAL result<void> send(message_type type = type_flatbuffer, std::uint32_t flags = 0) {
        if (const byte_span now = slot_.buffer(); now.data() != lent().data()) {
            if (now.empty())
                return slot_.send(0, type, flags); /* which is refused, with a reason */
            return error(errc::stale, "the slot is another than the builder began in");
        }
        const auto size = place();
        if (!size)
            return size.error();
        auto sent = slot_.send(*size, type, flags | align_end);
        if (sent)
            retire();
        return sent;
    }

    /* Sends the message, waits for the answer and returns it in place, as slot::receive does.
       `flags`: 0 or wait_ready. Errors: as send() and slot::receive. */
    SHMIPC_LOCAL result<message> call(message_type type = type_flatbuffer,
                                      timeout within = default_timeout, std::uint32_t flags = 0) {
        if (auto sent = send(type, flags); !sent)
            return sent.error();
        return slot_.receive(within);
    }

private:
    slot &slot_;
};

/* Builds a handler's answer in its response buffer. */
class response_builder : public detail::placed_builder {
public:
    explicit response_builder(response &response)
        : placed_builder(response.buffer()), response_(response) {}

    /* Makes the message the handler's answer, in place of what was written before. Errors:
       too_large (the caller gets it too, unless the handler answers something else); invalid (it is
       not finished); state (it was made the answer before). */
    result<void> respond(message_type type = type_flatbuffer) {
        const auto size = place();
        if (!size)
            return size.error();
        if (*size > response_.capacity())
            return refuse(*size);
        response_.set_length(*size, align_end);
        response_.set_type(type);
        retire();
        return {};
    }

private:
    error refuse(std::size_t size) noexcept {
        std::array<char, 96> text = {};
        (void)std::snprintf(text.data(), text.size(),
                            "the answer has %llu bytes, the capacity is %llu",
                            static_cast<unsigned long long>(size),
                            static_cast<unsigned long long>(response_.capacity()));
        response_.set_length(size);
        return error(errc::too_large, text.data());
    }

    response &response_;
};

/*
 * Returns the FlatBuffer in `data`, in place, if it is a valid one of this root type (and has this
 * file identifier, if that is not NULL); else NULL. Valid as long as `data` is.
 *
 * Not for messages of FinishSizePrefixed. If the bytes do not begin aligned, as those of an odd
 * length sent with align_end, their fields may not be aligned either: verify a copy.
 *
 * A peer that breaks the protocol could still change bytes in shared memory after they were
 * verified: if you do not trust it, verify a copy, such as the answer of call().
 */
template <class Root>
const Root *verified(byte_view data, const char *identifier = nullptr) noexcept {
    const auto *bytes = reinterpret_cast<const std::uint8_t *>(data.data());
    flatbuffers::Verifier verifier(bytes, data.size());
    const bool aligned =
        reinterpret_cast<std::uintptr_t>(bytes) % alignof(flatbuffers::uoffset_t) == 0;
    if (data.empty() || !aligned || !verifier.VerifyBuffer<Root>(identifier))
        return nullptr;
    return flatbuffers::GetRoot<Root>(bytes);
}

/* Deleted for a temporary answer, whose bytes end with the expression. */
template <class Root> const Root *verified(answer &&, const char * = nullptr) = delete;
template <class Root> const Root *verified(const answer &&, const char * = nullptr) = delete;

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
