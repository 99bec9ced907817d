/* Handlers, and the requests and responses that they see. */
#ifndef SHMIPC_CXX_HANDLER_HPP
#define SHMIPC_CXX_HANDLER_HPP

#include "error.hpp"
#include "message.hpp"
#include "platform.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

/* A request, as a handler sees it. It and its bytes are valid until the handler returns. */
class request {
public:
    explicit request(const shmipc_request &seen) noexcept : request_(&seen) {}

    byte_view data() const noexcept { return {request_->data, request_->length}; }
    std::string_view text() const noexcept { return data().text(); }
    template <class T> std::optional<T> as() const noexcept { return data().as<T>(); }
    message_type type() const noexcept { return request_->type; }
    std::uint32_t peer() const noexcept { return request_->peer; } /* may be forged */
    std::uint32_t slot() const noexcept { return request_->slot; }

    /* True if no caller waits for the answer any more. */
    SHMIPC_LOCAL bool abandoned() const noexcept { return shmipc_abandoned(request_) != 0; }

    const shmipc_request &native() const noexcept { return *request_; }

private:
    const shmipc_request *request_;
};

/* A handler's answer: at first without bytes, and of type_normal. write() copies bytes into it;
   buffer() and set_length() build it in place. */
class response {
public:
    explicit response(shmipc_response &made) noexcept : response_(&made) {}
    /* A handler takes it by reference: fail() on a copy would be lost. */
    response(const response &) = delete;
    response &operator=(const response &) = delete;
    ~response() = default;

    /* Appends `data`. If it does not fit, or after fail(), appends nothing and returns false. What
       does not fit ends in too_large, even if more is written. */
    bool write(byte_view data) noexcept {
        if (failed_ || size() > capacity())
            return false;
        if (response_->flags & SHMIPC_ALIGN_END) { /* move it to the beginning */
            std::memmove(response_->data, buffer().end() - size(), size());
            response_->flags = 0;
        }
        const bool fits = data.size() <= capacity() - size();
        if (fits && !data.empty())
            std::memmove(static_cast<std::byte *>(response_->data) + size(), data.data(),
                         data.size());
        response_->length += data.size(); /* if it does not fit: stays above the capacity */
        return fits;
    }

    /* The response buffer in shared memory, 64-byte aligned at both ends. */
    byte_span buffer() noexcept { return {response_->data, capacity()}; }
    std::size_t capacity() const noexcept { return response_->capacity; }
    std::size_t size() const noexcept { return response_->length; }

    /* The answer is the first `length` bytes of buffer(), with align_end the last. A length above
       the capacity reaches the caller as too_large. */
    void set_length(std::size_t length, std::uint32_t flags = 0) noexcept {
        response_->length = length;
        response_->flags = flags;
    }

    void set_type(message_type type) noexcept { response_->type = type.value(); }

    /* The caller gets errc::handler with this message, truncated to buffer(), in place of anything
       written before. The handler should then return. */
    void fail(std::string_view message) noexcept {
        std::size_t length = message.size() < capacity() ? message.size() : capacity();
        if (length)
            std::memmove(response_->data, message.data(), length);
        set_length(length);
        failed_ = true;
    }
    bool failed() const noexcept { return failed_; }

    shmipc_response &native() noexcept { return *response_; }

private:
    shmipc_response *response_;
    bool failed_ = false;
};

/*
 * A handler is anything that can be called with (const request &, response &), also with captures;
 * several threads may call it at once. It returns nothing; or a result<void>, which, if it is an
 * error, fails the response with its sentence (except too_large of an answer that exceeds the
 * response's capacity, which the caller gets as too_large). If it throws, the caller gets
 * errc::handler with the exception's what(), and the thread goes on serving. Its thread must not
 * end inside the handler (pthread_exit, pthread_cancel): that ends the process.
 */
using handler_function = std::function<void(const request &, response &)>;

namespace detail {

template <class Handler>
void run_handler(Handler &handler, const request &request, response &response) {
    using returned = std::invoke_result_t<Handler &, const shmipc::request &, shmipc::response &>;
    if constexpr (std::is_same_v<returned, result<void>>) {
        const auto done = handler(request, response);
        if (done)
            return;
        /* Of another message than this answer, too_large is a failure like others. */
        const bool exceeded = response.size() > response.capacity();
        if (!exceeded || done.error().code() != errc::too_large)
            response.fail(done.error().what());
    } else {
        static_assert(std::is_void_v<returned>,
                      "a handler returns nothing, or a result<void>; see response::fail");
        handler(request, response);
    }
}

} // namespace detail

/* A handler that chooses another by the message's type. Register before it serves. */
class dispatcher {
public:
    /* Requests of this type go to `handler`, which replaces the one registered for it before. */
    template <class Handler> dispatcher &on(message_type type, Handler handler) {
        const std::size_t at = place_of(type.value());
        if (!holds(at, type.value()))
            handlers_.insert(handlers_.begin() + static_cast<std::ptrdiff_t>(at),
                             {type.value(), nullptr});
        handlers_[at].second = stored(std::move(handler));
        return *this;
    }

    /* Requests of all other types. Without it they fail: "no handler for message type N". */
    template <class Handler> dispatcher &otherwise(Handler handler) {
        otherwise_ = stored(std::move(handler));
        return *this;
    }

    void operator()(const request &request, response &response) const {
        const std::size_t at = place_of(request.type().value());
        if (holds(at, request.type().value()))
            handlers_[at].second(request, response);
        else if (otherwise_)
            otherwise_(request, response);
        else
            fail(request.type().value(), response);
    }

private:
    template <class Handler> static handler_function stored(Handler handler) {
        return [handler = std::move(handler)](const request &request, response &response) mutable {
            detail::run_handler(handler, request, response);
        };
    }

    /* std::to_string would keep gcc's shared objects from being unloaded. */
    static void fail(std::uint32_t type, response &response) noexcept {
        std::array<char, 48> text = {};
        (void)std::snprintf(text.data(), text.size(), "no handler for message type %lu",
                            static_cast<unsigned long>(type));
        response.fail(text.data());
    }

    /* The index of the handler for a type, or where to insert it. */
    std::size_t place_of(std::uint32_t type) const noexcept {
        std::size_t begin = 0, end = handlers_.size();
        while (begin < end) {
            const std::size_t middle = begin + (end - begin) / 2;
            if (handlers_[middle].first < type)
                begin = middle + 1;
            else
                end = middle;
        }
        return begin;
    }
    bool holds(std::size_t place, std::uint32_t type) const noexcept {
        return place < handlers_.size() && handlers_[place].first == type;
    }

    /* In the order of their types. A std::map, too, would keep gcc's shared objects loaded. */
    std::vector<std::pair<std::uint32_t, handler_function>> handlers_;
    handler_function otherwise_;
};

namespace detail {

/* A handler as the C library calls it: `context` is the address of one of these. */
template <class Handler> struct bound_handler {
    Handler &handler;

    SHMIPC_LOCAL static int call(void *context, const shmipc_request *c_request,
                                 shmipc_response *c_response) noexcept {
        const request request(*c_request);
        response response(*c_response);
#if SHMIPC_EXCEPTIONS
        try {
            run_handler(static_cast<bound_handler *>(context)->handler, request, response);
        } catch (const std::exception &thrown) {
            response.fail(thrown.what());
        } catch (...) {
            response.fail("the handler threw something other than a std::exception");
        }
#else
        run_handler(static_cast<bound_handler *>(context)->handler, request, response);
#endif
        return response.failed() ? -1 : 0;
    }
};

} // namespace detail

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
