/* Failures: codes, sentences, and the result of a function that may fail. */
#ifndef SHMIPC_CXX_ERROR_HPP
#define SHMIPC_CXX_ERROR_HPP

#include "platform.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

/* The codes of shmipc_error; shmipc.h has their meanings. */
enum class errc : int {
    invalid = SHMIPC_E_INVALID,
    no_memory = SHMIPC_E_NO_MEMORY,
    system = SHMIPC_E_SYSTEM,
    not_supported = SHMIPC_E_NOT_SUPPORTED,
    no_descriptors = SHMIPC_E_NO_DESCRIPTORS,
    no_space = SHMIPC_E_NO_SPACE,
    name = SHMIPC_E_NAME,
    name_in_use = SHMIPC_E_NAME_IN_USE,
    not_found = SHMIPC_E_NOT_FOUND,
    denied = SHMIPC_E_DENIED,
    full = SHMIPC_E_FULL,
    not_a_region = SHMIPC_E_NOT_A_REGION,
    byte_order = SHMIPC_E_BYTE_ORDER,
    version = SHMIPC_E_VERSION,
    not_ready = SHMIPC_E_NOT_READY,
    truncated = SHMIPC_E_TRUNCATED,
    corrupt = SHMIPC_E_CORRUPT,
    too_large = SHMIPC_E_TOO_LARGE,
    type = SHMIPC_E_TYPE,
    timeout = SHMIPC_E_TIMEOUT,
    timeout_started = SHMIPC_E_TIMEOUT_STARTED,
    cancelled = SHMIPC_E_CANCELLED,
    cancelled_started = SHMIPC_E_CANCELLED_STARTED,
    no_peer = SHMIPC_E_NO_PEER,
    peer_died = SHMIPC_E_PEER_DIED,
    closed = SHMIPC_E_CLOSED,
    closed_started = SHMIPC_E_CLOSED_STARTED,
    shutdown = SHMIPC_E_SHUTDOWN,
    handler = SHMIPC_E_HANDLER,
    stale = SHMIPC_E_STALE,
    state = SHMIPC_E_STATE,
    woken = SHMIPC_E_WOKEN,
    name_lost = SHMIPC_E_NAME_LOST
};

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

template <> struct std::is_error_code_enum<shmipc::errc> : std::true_type {};

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

namespace detail {

class SHMIPC_LOCAL error_category final : public std::error_category {
public:
    const char *name() const noexcept override { return "shmipc"; }
    std::string message(int code) const override { return shmipc_strerror(code); }
    std::error_condition default_error_condition(int code) const noexcept override {
        switch (static_cast<errc>(code)) {
        case errc::invalid:
            return std::errc::invalid_argument;
        case errc::no_memory:
            return std::errc::not_enough_memory;
        case errc::not_supported:
            return std::errc::not_supported;
        case errc::no_descriptors:
            return std::errc::too_many_files_open;
        case errc::no_space:
            return std::errc::no_space_on_device;
        case errc::name_in_use:
            return std::errc::address_in_use;
        case errc::not_found:
            return std::errc::no_such_file_or_directory;
        case errc::denied:
            return std::errc::permission_denied;
        case errc::too_large:
            return std::errc::message_size;
        case errc::timeout:
        case errc::timeout_started:
            return std::errc::timed_out;
        case errc::cancelled:
        case errc::cancelled_started:
            return std::errc::operation_canceled;
        default:
            return {code, *this};
        }
    }
};

} // namespace detail

/* The category of these codes in std::error_code. They also equal the std::errc of the same
   meaning, by default_error_condition above: both time-outs are std::errc::timed_out. */
SHMIPC_LOCAL inline const std::error_category &category() noexcept {
    static const detail::error_category category;
    return category;
}

SHMIPC_LOCAL inline std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), category()};
}

/* In place of those by std::error_code's constructor for errc, which shared objects may have in
   common, with the category of one. */
SHMIPC_LOCAL inline bool operator==(const std::error_code &a, errc b) noexcept {
    return a == make_error_code(b);
}
SHMIPC_LOCAL inline bool operator==(errc a, const std::error_code &b) noexcept {
    return b == a;
}
SHMIPC_LOCAL inline bool operator!=(const std::error_code &a, errc b) noexcept {
    return !(a == b);
}
SHMIPC_LOCAL inline bool operator!=(errc a, const std::error_code &b) noexcept {
    return !(b == a);
}

/* A failure: a code and a sentence. A value without memory of its own. */
class error {
public:
    /* For errors of the application's own: `text` is kept up to 511 bytes. */
    error(errc code, std::string_view text, int os_error = 0) noexcept;

    errc code() const noexcept { return code_; }

    /* One line for people that names the value and the limit, as shmipc_last_error. */
    const char *what() const noexcept { return text_.data(); }

    /* The system's code (errno; Windows: GetLastError) behind the failure; 0: none. */
    int os_error() const noexcept { return os_error_; }

    /* For too_large and no_memory of a call whose answer did not fit: the answer's size in bytes.
       For handler of call_into(): how many bytes of the handler's message are in the span. Else
       0. */
    std::size_t answer_size() const noexcept { return answer_size_; }

    /* The message of a handler that failed, on one line as in what(), only its first 400 bytes; ""
       for all other codes. */
    std::string_view handler_message() const noexcept;

    SHMIPC_LOCAL operator std::error_code() const noexcept { return make_error_code(code_); }

    /* For wrappers: the failure that a function of shmipc.h has just returned in this thread. */
    SHMIPC_LOCAL static error last(int code, std::size_t answer_size = 0) noexcept;

private:
    errc code_;
    int os_error_;
    std::size_t answer_size_ = 0;
    std::array<char, 512> text_ = {};
};

#if SHMIPC_EXCEPTIONS
/* What result::value() throws. */
class exception : public std::system_error {
public:
    SHMIPC_LOCAL explicit exception(const shmipc::error &error)
        : system_error(error), error_(error) {}
    const shmipc::error &error() const noexcept { return error_; }
    const char *what() const noexcept override { return error_.what(); }

private:
    shmipc::error error_;
};
#endif

namespace detail {

[[noreturn]] SHMIPC_LOCAL inline void raise(const shmipc::error &error) {
#if SHMIPC_EXCEPTIONS
    throw exception(error);
#else
    (void)error;
    std::abort();
#endif
}

} // namespace detail

/* A value or an error. * and -> without a value, and error() with one, are undefined. */
template <class T> class [[nodiscard]] result {
public:
    using value_type = T;

    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    result(shmipc::error error) noexcept : state_(std::in_place_index<1>, error) {}

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    T &operator*() &noexcept { return *std::get_if<0>(&state_); }
    const T &operator*() const &noexcept { return *std::get_if<0>(&state_); }
    T operator*() && { return std::move(*std::get_if<0>(&state_)); }
    T *operator->() noexcept { return std::get_if<0>(&state_); }
    const T *operator->() const noexcept { return std::get_if<0>(&state_); }
    const shmipc::error &error() const &noexcept { return *std::get_if<1>(&state_); }
    shmipc::error error() &&noexcept { return *std::get_if<1>(&state_); }

    /* Returns the value; throws shmipc::exception if there is none. */
    SHMIPC_LOCAL T &value() & { return expect_value(), **this; }
    SHMIPC_LOCAL const T &value() const & { return expect_value(), **this; }
    SHMIPC_LOCAL T value() && { return expect_value(), *std::move(*this); }

private:
    SHMIPC_LOCAL void expect_value() const {
        if (!has_value())
            detail::raise(error());
    }

    std::variant<T, shmipc::error> state_;
};

template <> class [[nodiscard]] result<void> {
public:
    using value_type = void;

    result() noexcept = default;
    result(shmipc::error error) noexcept : error_(error) {}

    bool has_value() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return has_value(); }
    const shmipc::error &error() const noexcept { return *error_; }
    SHMIPC_LOCAL void value() const {
        if (error_)
            detail::raise(*error_);
    }

private:
    std::optional<shmipc::error> error_;
};

inline error::error(errc code, std::string_view text, int os_error) noexcept
    : code_(code), os_error_(os_error) {
    std::size_t length = text.size() < text_.size() ? text.size() : text_.size() - 1;
    if (length)
        std::memcpy(text_.data(), text.data(), length);
}

inline error error::last(int code, std::size_t answer_size) noexcept {
    error last(static_cast<errc>(code), shmipc_last_error(), shmipc_last_os_error());
    last.answer_size_ = answer_size;
    return last;
}

inline std::string_view error::handler_message() const noexcept {
    constexpr std::string_view before = "the handler failed: ";
    std::string_view text = what();
    if (code_ != errc::handler || text.substr(0, before.size()) != before)
        return {};
    return text.substr(before.size());
}

namespace detail {

/* The result for a code that a function of shmipc.h has just returned. */
SHMIPC_LOCAL inline result<void> done(int code) noexcept {
    if (code)
        return error::last(code);
    return {};
}

/* The same for a function that keeps the last failure's sentence: shmipc_last_error names them. */
SHMIPC_LOCAL inline result<void> done_silently(int code) noexcept {
    if (code)
        return error(static_cast<errc>(code), shmipc_strerror(code));
    return {};
}

/* C would see a shorter name, or prefix: an empty prefix stands for all regions. */
SHMIPC_LOCAL inline result<void> check_name(const std::string &name) noexcept {
    if (name.find('\0') != name.npos)
        return error(errc::name, "the name has a zero byte in it");
    return {};
}

} // namespace detail

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
