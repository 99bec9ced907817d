/* What converts to bytes and to time-outs, and what must not. */
#include "support/cpp.hpp"

#include <array>
#include <limits>
#include <shmipc/shmipc.hpp>
#include <string>
#include <vector>

using shmipc::byte_span;
using shmipc::byte_view;

template <class From> static constexpr bool viewed = std::is_convertible_v<From, byte_view>;
template <class From> static constexpr bool spanned = std::is_convertible_v<From, byte_span>;

/* A char array may be text or bytes: neither is guessed. A literal is text. */
static_assert(!viewed<char (&)[8]> && viewed<const char (&)[8]> && viewed<std::uint8_t (&)[8]>);
static_assert(viewed<std::string> && viewed<std::string_view> && viewed<std::vector<double>>);
static_assert(!viewed<std::vector<std::string>> && !viewed<int> && !viewed<std::string *>);
static_assert(spanned<char (&)[8]> && spanned<std::vector<char> &> && spanned<std::string &>);
static_assert(!spanned<const char (&)[8]> && !spanned<const std::string &>);
static_assert(!spanned<std::string> && !spanned<std::string_view> && !spanned<byte_view>);
static_assert(viewed<byte_span> && viewed<shmipc::answer>);

struct point {
    std::int32_t x, y;
};

/* Addresses are no message, and neither a truth nor a size is a type. */
static_assert(!viewed<std::vector<std::string_view>> && !viewed<std::vector<const char *>>);
static_assert(!viewed<std::nullptr_t>);
template <class From>
static constexpr bool typed = std::is_convertible_v<From, shmipc::message_type>;
static_assert(typed<int> && typed<std::uint32_t> && typed<std::byte>);
static_assert(!typed<bool> && !typed<char> && !typed<std::uint64_t> && !typed<shmipc::errc>);

static void everything_is_seen_with_all_its_bytes() {
    must(byte_view("hello").size() == 5 && byte_view("hello").text() == "hello");
    must(byte_view("").empty());
    const char unterminated[] = {'a', 'b', 'c'};
    must(byte_view(unterminated).text() == "abc");
    const char *none = nullptr;
    must(byte_view(none).empty());
    must(byte_view(std::string("a\0b", 3)).size() == 3);
    must(byte_view(std::vector<std::uint16_t>{1, 2, 3}).size() == 6);
    const std::array<std::uint64_t, 4> array{};
    must(byte_view(array).size() == 32 && byte_view(array).data() != nullptr);
    const std::uint32_t plain[3] = {};
    must(byte_view(plain).size() == 12);
    must(byte_view(std::vector<int>()).empty() && byte_view().empty());
    std::vector<std::uint16_t> written(5);
    byte_span span = written;
    must(span.size() == 10 && static_cast<void *>(span.data()) == written.data());
    std::size_t count = 0;
    for (std::byte &byte : span)
        byte = static_cast<std::byte>(count++);
    must(count == 10 && byte_view(span)[9] == std::byte{9});
}

static void an_object_goes_and_comes_as_its_bytes() {
    const point sent{3, -4};
    byte_view bytes = shmipc::bytes_of(sent);
    must(bytes.size() == sizeof(point));
    must(bytes.as<point>()->y == -4);
    must(!bytes.as<std::int32_t>() && !byte_view().as<char>());
    std::array<std::byte, sizeof(point) + 1> crooked{}; /* at an odd address */
    std::memcpy(&crooked[1], bytes.data(), bytes.size());
    must(byte_view(&crooked[1], sizeof(point)).as<point>()->x == 3);
}

static void types_are_numbers_or_enumerators() {
    enum class kind { first = 128, second };
    must(shmipc::message_type(kind::second).value() == 129);
    must(shmipc::message_type(kind::first) == shmipc::type_application);
    must(shmipc::message_type(129u) == kind::second && shmipc::message_type(7) != kind::first);
}

/* A constant expression may not overflow. */
static constexpr std::int64_t second = 1000000000;
template <std::intmax_t Num, std::intmax_t Den, class Rep = std::int64_t>
static constexpr std::int64_t ns_of(Rep count) {
    return shmipc::timeout(std::chrono::duration<Rep, std::ratio<Num, Den>>(count)).ns();
}
static_assert(ns_of<1, 44100>(std::int64_t{44100} * 86400 * 400) == second * 86400 * 400);
static_assert(ns_of<1, 44100>(44100 * 9199999999 + 1) == 9199999999 * second + 22676);
static_assert(ns_of<1, 3579545>(std::int64_t{3579545} * 7200 - 1) == 7200 * second - 279);
static_assert(ns_of<1001, 30000>(30001) == 1001 * second + 33366667);
static_assert(ns_of<3, 1000000000000>(INT64_MAX) == 27670116110564328);
static_assert(ns_of<1, 1000000000000>(UINT64_MAX) == 18446744073709552);
static_assert(ns_of<1, 44100>(-1) == 0 && ns_of<1, 44100>(INT64_MAX) == INT64_MAX);
static_assert(ns_of<1, 3>(1) == 333333334 && ns_of<1, 3, std::int8_t>(127) == 42333333334);

static void time_outs_are_never_negative_nor_overflow() {
    using namespace std::chrono_literals;
    using shmipc::timeout;
    must(timeout(3ms).ns() == 3000000 && timeout(2min).ns() == 120 * std::int64_t{1000000000});
    must(timeout(0s).ns() == 0 && timeout(-1ns).ns() == 0 && timeout(-1h).ns() == 0);
    must(timeout(std::chrono::hours::min()).ns() == 0);
    must(timeout(std::chrono::hours::max()).ns() == INT64_MAX);
    must(timeout(std::chrono::nanoseconds::max()).ns() == INT64_MAX);
    must(timeout(std::chrono::seconds(9199999999)).ns() == 9199999999 * 1000000000);
    must(timeout(std::chrono::seconds(9300000000)).ns() == INT64_MAX);
    must(timeout(std::chrono::duration<double>(0.5)).ns() == 500000000);
    must(timeout(std::chrono::duration<double, std::nano>(0.1)).ns() == 1);
    must(timeout(std::chrono::duration<double>(1e300)).ns() == INT64_MAX);
    must(timeout(std::chrono::duration<double>(-1e300)).ns() == 0);
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    must(timeout(std::chrono::duration<double>(nan)).ns() == 0);
    must(shmipc::forever.ns() == SHMIPC_FOREVER);
    must(shmipc::default_timeout.ns() == SHMIPC_TIMEOUT_DEFAULT);
}

int main() {
    return testing::run({SCENE(everything_is_seen_with_all_its_bytes),
                         SCENE(an_object_goes_and_comes_as_its_bytes),
                         SCENE(types_are_numbers_or_enumerators),
                         SCENE(time_outs_are_never_negative_nor_overflow)});
}
