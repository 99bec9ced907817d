/* Messages: types, flags, a view of a message, and an answer that owns its bytes. */
#ifndef SHMIPC_CXX_MESSAGE_HPP
#define SHMIPC_CXX_MESSAGE_HPP

#include "bytes.hpp"

#include <cstdint>
#include <optional>
#include <system_error>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

namespace detail {

/* Neither bool nor a size: call(pointer, size) must not take the size for a type. */
template <class T>
inline constexpr bool is_type_number = (std::is_integral_v<T> && !std::is_same_v<T, bool> &&
                                        !std::is_same_v<T, char> && sizeof(T) <= 4) ||
                                       (std::is_enum_v<T> && !std::is_error_code_enum<T>::value);

} // namespace detail

/* The number of a kind of message: an integer, or a value of an enumeration. The application's own
   begin at type_application. */
class message_type {
public:
    template <class T, class = std::enable_if_t<detail::is_type_number<T>>>
    constexpr message_type(T value) noexcept : value_(static_cast<std::uint32_t>(value)) {}

    constexpr std::uint32_t value() const noexcept { return value_; }

    friend constexpr bool operator==(message_type a, message_type b) noexcept {
        return a.value_ == b.value_;
    }
    friend constexpr bool operator!=(message_type a, message_type b) noexcept { return !(a == b); }

private:
    std::uint32_t value_;
};

SHMIPC_LOCAL inline constexpr message_type type_normal = SHMIPC_TYPE_NORMAL;
SHMIPC_LOCAL inline constexpr message_type type_flatbuffer = SHMIPC_TYPE_FLATBUFFER;
SHMIPC_LOCAL inline constexpr message_type type_guest_call = SHMIPC_TYPE_GUEST_CALL;
SHMIPC_LOCAL inline constexpr message_type type_application = SHMIPC_TYPE_APPLICATION;

/* Flags of calls and messages: those of shmipc.h. */
SHMIPC_LOCAL inline constexpr std::uint32_t align_end = SHMIPC_ALIGN_END;
SHMIPC_LOCAL inline constexpr std::uint32_t wait_ready = SHMIPC_WAIT_READY;

/* A message in place: does not own its bytes. */
struct message {
    byte_view data;
    message_type type = type_normal;

    std::string_view text() const noexcept { return data.text(); }
    template <class T> std::optional<T> as() const noexcept { return data.as<T>(); }
};

/* An answer that owns its bytes, which are aligned to 64. */
class answer {
public:
    answer() noexcept = default;
    answer(answer &&from) noexcept { take(from); }
    answer &operator=(answer &&from) noexcept {
        if (this != &from)
            take(from);
        return *this;
    }
    ~answer() = default;

    const std::byte *data() const noexcept { return memory_ ? memory_.get() : place(); }
    std::size_t size() const noexcept { return size_; }
    std::string_view text() const noexcept { return byte_view(*this).text(); }
    message_type type() const noexcept { return type_; }

    /* A copy as an object of type T; nothing if the size is not T's. */
    template <class T> std::optional<T> as() const noexcept { return byte_view(*this).as<T>(); }

private:
    template <class Self> friend class calls;

    static constexpr std::size_t alignment = 64;
    static constexpr std::size_t short_size = SHMIPC_INLINE;
    struct release {
        void operator()(std::byte *memory) const noexcept {
            ::operator delete(memory, std::align_val_t(alignment));
        }
    };

    /* A stack may not be aligned to 64, so short answers lie in the aligned part of `room_`. */
    std::byte *place() noexcept { return const_cast<std::byte *>(std::as_const(*this).place()); }
    const std::byte *place() const noexcept {
        auto begin = reinterpret_cast<std::uintptr_t>(room_.data());
        return room_.data() + (alignment - begin % alignment) % alignment;
    }

    void take(answer &from) noexcept {
        memory_ = std::move(from.memory_);
        size_ = std::exchange(from.size_, 0);
        type_ = from.type_;
        if (!memory_)
            std::memcpy(place(), from.place(), size_);
    }

    /* For a call: receiver() says where to store the answer, accept() takes its length and type. */
    shmipc_response receiver() noexcept {
        shmipc_response response = {};
        response.data = place();
        response.capacity = short_size;
        response.allocate = &answer::allocate;
        response.allocate_context = this;
        return response;
    }
    static void *allocate(void *self, std::size_t size) noexcept {
        auto &memory = static_cast<answer *>(self)->memory_;
        memory.reset(static_cast<std::byte *>(
            ::operator new(size, std::align_val_t(alignment), std::nothrow)));
        return memory.get();
    }
    void accept(const shmipc_response &response) noexcept {
        size_ = response.length;
        type_ = response.type;
    }

    std::unique_ptr<std::byte, release> memory_;
    std::size_t size_ = 0;
    message_type type_ = type_normal;
    std::array<std::byte, short_size + alignment - 1> room_;
};

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
