/* Calls that copy. */
#ifndef SHMIPC_CXX_CALLS_HPP
#define SHMIPC_CXX_CALLS_HPP

#include "error.hpp"
#include "message.hpp"
#include "timeout.hpp"

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

/* The common part of a host, a guest and a slot: calls that copy. */
template <class Self> class calls {
public:
    /* shmipc_call (of a slot: shmipc_slot_call) with an answer of any size, copied once. `flags`: 0
       or wait_ready. `to`: the address of the guest that alone may answer; 0: any. Errors: as
       there. */
    SHMIPC_LOCAL result<answer> call(byte_view data = {}, message_type type = type_normal,
                                     timeout within = default_timeout, std::uint32_t flags = 0,
                                     std::uint64_t to = 0) {
        result<answer> out{answer{}};
        const shmipc_request request = asking(data, type, flags, to);
        shmipc_response response = out->receiver();
        if (int code = self().invoke(&request, &response, within.ns()))
            out = error::last(code, unanswered(code, response));
        else
            out->accept(response);
        return out;
    }

    /* The same, but stores the answer at the beginning of `into`, to which the result's data then
       refers; too_large if it does not fit. If the handler failed, `into` has its message. */
    SHMIPC_LOCAL result<message> call_into(byte_span into, byte_view data = {},
                                           message_type type = type_normal,
                                           timeout within = default_timeout,
                                           std::uint32_t flags = 0, std::uint64_t to = 0) {
        const shmipc_request request = asking(data, type, flags, to);
        shmipc_response response = {};
        response.data = into.data();
        response.capacity = into.size();
        if (int code = self().invoke(&request, &response, within.ns()))
            return error::last(code, code == SHMIPC_E_HANDLER ? response.length
                                                              : unanswered(code, response));
        return message{{into.data(), response.length}, response.type};
    }

private:
    friend Self;
    calls() = default;

    Self &self() noexcept { return static_cast<Self &>(*this); }

    static shmipc_request asking(byte_view data, message_type type, std::uint32_t flags,
                                 std::uint64_t to) noexcept {
        shmipc_request request = {};
        request.data = data.data();
        request.length = data.size();
        request.type = type.value();
        request.flags = flags;
        request.to = to;
        return request;
    }

    static std::size_t unanswered(int code, const shmipc_response &response) noexcept {
        return code == SHMIPC_E_TOO_LARGE || code == SHMIPC_E_NO_MEMORY ? response.length : 0;
    }
};

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
