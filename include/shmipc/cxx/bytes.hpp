/* Views of bytes that they do not own: read-only, and writable. */
#ifndef SHMIPC_CXX_BYTES_HPP
#define SHMIPC_CXX_BYTES_HPP

#include "platform.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#if defined(_MSVC_LANG) && _MSVC_LANG >= 202002L || __cplusplus >= 202002L
#include <ranges>
#endif

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

namespace detail {

/* True if T has a fixed number of elements, as std::array has. */
template <class T, class = void> struct is_tuple_like : std::false_type {};
template <class T>
struct is_tuple_like<T, std::void_t<decltype(std::tuple_size<T>::value)>> : std::true_type {};

/* True if T is a pointer and a size, as std::string_view and std::span are. */
template <class T, class = void> struct is_view : std::false_type {};
template <class T>
struct is_view<T, std::enable_if_t<std::is_pointer_v<decltype(std::declval<const T &>().data())> &&
                                   !std::is_const_v<T> && sizeof(T) == 2 * sizeof(void *) &&
                                   std::is_trivially_copyable_v<T> && !is_tuple_like<T>::value>>
    : std::true_type {};

/* True if objects of this type are only their bytes: addresses mean nothing to another process. */
template <class T>
inline constexpr bool is_plain =
    std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> && !is_view<T>::value;

/* As std::strlen, but reads at most `limit` bytes. */
inline std::size_t text_size(const char *text, std::size_t limit) noexcept {
    const void *end = std::memchr(text, 0, limit);
    return end ? static_cast<std::size_t>(static_cast<const char *>(end) - text) : limit;
}

/* The element type of a range with data() and size(), such as std::string, std::vector and
   std::span; not of arrays, which have their own constructors. */
template <class Range>
using element = std::remove_pointer_t<decltype(std::declval<Range &>().data() +
                                               std::declval<Range &>().size())>;

template <class Range>
using plain_range = std::enable_if_t<is_plain<std::remove_const_t<element<Range>>>>;

template <class Range>
using writable_range =
    std::enable_if_t<is_plain<element<Range>> && !std::is_const_v<element<Range>>>;

} // namespace detail

/* A read-only view of bytes that it does not own. Converts from text, arrays, and ranges with
   data() and size() and plain elements; a std::span<const std::byte> can be made of it. */
class byte_view {
public:
    constexpr byte_view() noexcept = default;
    byte_view(const void *data, std::size_t size) noexcept
        : data_(static_cast<const std::byte *>(data)), size_(size) {}

    /* A text up to its terminator; empty if NULL. */
    template <class Text,
              std::enable_if_t<std::is_same_v<Text, const char *> || std::is_same_v<Text, char *>,
                               int> = 0>
    byte_view(const Text &text) noexcept : byte_view(text, text ? std::strlen(text) : 0) {}
    /* A literal up to its terminator; an array without one as a whole. */
    template <std::size_t N>
    byte_view(const char (&text)[N]) noexcept : byte_view(&text[0], detail::text_size(text, N)) {}
    /* Text or bytes? Say how many: {array, size}. */
    template <std::size_t N> byte_view(char (&)[N]) = delete;
    byte_view(std::nullptr_t) = delete;
    byte_view(std::nullptr_t, std::size_t) = delete;

    template <class T, std::size_t N, class = std::enable_if_t<detail::is_plain<T>>>
    byte_view(const T (&array)[N]) noexcept : byte_view(&array[0], sizeof array) {}

    template <class Range, class = detail::plain_range<const Range>>
    byte_view(const Range &range) noexcept
        : byte_view(range.data(), range.size() * sizeof *range.data()) {}

    const std::byte *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const std::byte *begin() const noexcept { return data_; }
    const std::byte *end() const noexcept { return data_ + size_; }
    std::byte operator[](std::size_t index) const noexcept { return data_[index]; }

    /* The same bytes as characters. */
    std::string_view text() const noexcept {
        return {reinterpret_cast<const char *>(data_), size_};
    }

    /* A copy as an object of type T; nothing if the size is not T's. */
    template <class T> std::optional<T> as() const noexcept {
        static_assert(detail::is_plain<T>, "bytes make no object of this type");
        if (size_ != sizeof(T))
            return std::nullopt;
        alignas(T) std::array<std::byte, sizeof(T)> bytes;
        std::memcpy(bytes.data(), data_, sizeof(T));
        return *std::launder(reinterpret_cast<const T *>(bytes.data()));
    }

private:
    const std::byte *data_ = nullptr;
    std::size_t size_ = 0;
};

/* A writable view of bytes that it does not own. Converts from arrays, and ranges with data() and
   size() and plain elements that are not const; a std::span<std::byte> can be made of it. */
class byte_span {
public:
    constexpr byte_span() noexcept = default;
    byte_span(void *data, std::size_t size) noexcept
        : data_(static_cast<std::byte *>(data)), size_(size) {}

    template <class T, std::size_t N,
              class = std::enable_if_t<detail::is_plain<T> && !std::is_const_v<T>>>
    byte_span(T (&array)[N]) noexcept : byte_span(&array[0], sizeof array) {}

    template <class Range, class = detail::writable_range<Range>>
    byte_span(Range &range) noexcept
        : byte_span(range.data(), range.size() * sizeof *range.data()) {}
    template <class Range, class = detail::writable_range<const Range>>
    byte_span(const Range &range) noexcept
        : byte_span(range.data(), range.size() * sizeof *range.data()) {}

    std::byte *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::byte *begin() const noexcept { return data_; }
    std::byte *end() const noexcept { return data_ + size_; }
    std::byte &operator[](std::size_t index) const noexcept { return data_[index]; }

private:
    std::byte *data_ = nullptr;
    std::size_t size_ = 0;
};

/* The bytes of an object, to be sent; valid as long as `object`. */
template <class T> byte_view bytes_of(const T &object) noexcept {
    static_assert(detail::is_plain<T>, "an object of this type is more than its bytes");
    return {std::addressof(object), sizeof object};
}

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#if defined(__cpp_lib_ranges)
template <> inline constexpr bool std::ranges::enable_borrowed_range<shmipc::byte_view> = true;
template <> inline constexpr bool std::ranges::enable_borrowed_range<shmipc::byte_span> = true;
#endif

#endif
