/* Slots: calls without copies, and many in flight. */
#ifndef SHMIPC_CXX_SLOT_HPP
#define SHMIPC_CXX_SLOT_HPP

#include "calls.hpp"
#include "peer_pointer.hpp"

#include <iterator>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

/*
 * A claimed slot: calls without copies, many in flight, or one slot for many calls. Its destructor
 * releases it, and abandons a call under way. A call that ends without an answer has released its
 * slot already. A slot belongs to one thread at a time; only cancel() may be called by another.
 */
class slot : public calls<slot> {
public:
    slot() noexcept = default;
    slot(slot &&from) noexcept
        : peer_(std::move(from.peer_)), slot_(std::exchange(from.slot_, shmipc_slot{})),
          failure_(from.failure_) {}
    slot &operator=(slot &&from) noexcept {
        if (this != &from) {
            give_back();
            peer_ = std::move(from.peer_);
            slot_ = std::exchange(from.slot_, shmipc_slot{});
            failure_ = from.failure_;
        }
        return *this;
    }
    ~slot() { give_back(); }

    /* The request buffer, 64-byte aligned at both ends; empty if the slot is stale or a request is
       under way. Valid until the slot is sent or released. */
    SHMIPC_LOCAL byte_span buffer() noexcept {
        std::size_t capacity = 0;
        void *data = shmipc_slot_buffer(slot_, &capacity);
        return data ? byte_span(data, capacity) : byte_span();
    }

    /* Sends the first `length` bytes of the buffer, with align_end the last, and returns at once.
       `flags`: 0, or one or both of align_end and wait_ready. `to`: the address of the guest that
       alone may answer; 0: any. */
    SHMIPC_LOCAL result<void> send(std::size_t length, message_type type = type_normal,
                                   std::uint32_t flags = 0, std::uint64_t to = 0) noexcept {
        return detail::done(shmipc_slot_send_to(slot_, to, type.value(), length, flags));
    }

    /* The same after copying `data` to the buffer's beginning, or with align_end to its end. */
    SHMIPC_LOCAL result<void> send_copy(byte_view data, message_type type = type_normal,
                                        std::uint32_t flags = 0, std::uint64_t to = 0) noexcept {
        byte_span place = buffer();
        std::size_t fitting = data.size() <= place.size() ? data.size() : 0;
        if (fitting) /* send() refuses data that does not fit, with a sentence */
            std::memmove((flags & align_end) ? place.end() - fitting : place.data(), data.data(),
                         fitting);
        return send(data.size(), type, flags, to);
    }

    /* Waits for the answer and returns it in place: valid until the slot is sent again or
       released. */
    SHMIPC_LOCAL result<message> receive(timeout within = default_timeout) noexcept {
        shmipc_response response = {};
        if (int code = shmipc_slot_receive(slot_, within.ns(), &response)) {
            if (code == SHMIPC_E_HANDLER)
                failure_ = byte_view(response.data, response.length);
            return error::last(code);
        }
        return message{{response.data, response.length}, response.type};
    }

    /* After receive() has failed with errc::handler: the handler's whole message, unescaped and in
       place; valid until the slot is sent again or released. */
    byte_view failure() const noexcept { return failure_; }

    /* True if receive() would return at once, with an answer or without. */
    SHMIPC_LOCAL bool ready() const noexcept { return shmipc_slot_ready(slot_) != 0; }

    /* Ends the call under way, or the next one, with cancelled or cancelled_started. */
    SHMIPC_LOCAL result<void> cancel() const noexcept {
        return detail::done_silently(shmipc_slot_cancel(slot_));
    }

    /* Gives the slot back before its destructor does. */
    SHMIPC_LOCAL result<void> release() noexcept {
        return detail::done_silently(shmipc_slot_release(slot_));
    }

    /* For functions of shmipc.h. This object still owns the slot. */
    const shmipc_slot &native() const noexcept { return slot_; }

private:
    friend class calls<slot>;
    friend class peer;
    slot(const detail::shared_peer_pointer &peer, shmipc_slot claimed) noexcept
        : peer_(peer), slot_(claimed) {}

    SHMIPC_LOCAL int invoke(const shmipc_request *request, shmipc_response *response,
                            std::int64_t within) noexcept {
        return shmipc_slot_call(slot_, request, response, within);
    }
    void give_back() noexcept {
        if (slot_.peer)
            peer_.release(slot_);
    }

    detail::shared_peer_pointer peer_;
    shmipc_slot slot_ = {};
    byte_view failure_;
};

namespace detail {

/* Calls use(first, count) with what shmipc.h knows the slots by. `range` is one with data() and
   size(), or an array. */
template <class Slots, class Use> SHMIPC_LOCAL auto use_native(const Slots &range, Use use) {
    static_assert(std::is_same_v<std::decay_t<decltype(*std::data(range))>, slot>);
    const slot *first = std::data(range);
    const std::size_t count = std::size(range);
    const auto use_copies = [&](auto &copies) {
        for (std::size_t i = 0; i < count && i < copies.size(); i++)
            copies[i] = first[i].native();
        return use(copies.data(), count);
    };
    if (count <= 64) {
        std::array<shmipc_slot, 64> few;
        return use_copies(few);
    }
    /* A larger count is refused before it is read. */
    std::array<shmipc_slot, SHMIPC_SLOTS_MAX> many;
    return use_copies(many);
}

} // namespace detail

/*
 * Waits until one of several calls is over, and returns the index of a slot whose receive() would
 * return at once. `range` is one with data() and size(), or an array, of up to SHMIPC_SLOTS_MAX
 * slots of one peer; `begin` is where to begin looking: 0, then the last result plus 1.
 */
template <class Slots>
SHMIPC_LOCAL result<std::size_t> wait_any(const Slots &range, std::size_t begin = 0,
                                          timeout within = default_timeout) noexcept {
    return detail::use_native(
        range, [&](const shmipc_slot *first, std::size_t count) -> result<std::size_t> {
            std::size_t which = begin;
            if (int code = shmipc_slot_wait_any(first, count, within.ns(), &which))
                return error::last(code);
            return which;
        });
}

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
