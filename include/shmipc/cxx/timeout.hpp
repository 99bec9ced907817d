/* Time-outs. */
#ifndef SHMIPC_CXX_TIMEOUT_HPP
#define SHMIPC_CXX_TIMEOUT_HPP

#include "platform.hpp"

#include <chrono>
#include <cstdint>
#include <ratio>
#include <type_traits>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

/* The longest time to wait: any duration. A duration too long for nanoseconds in 64 bits counts as
   292 years. The constructors' names are in parentheses since curses has a macro of that name. */
class timeout {
public:
    template <class Rep, class Period>
    constexpr(timeout)(std::chrono::duration<Rep, Period> duration) noexcept
        : ns_(to_ns(duration)) {}

    constexpr std::int64_t ns() const noexcept { return ns_; }
    static constexpr timeout without_end() noexcept {
        return timeout{std::int64_t{SHMIPC_FOREVER}};
    }

private:
    explicit constexpr(timeout)(std::int64_t ns) noexcept : ns_(ns) {}

    template <class Rep, class Period>
    static constexpr std::int64_t to_ns(std::chrono::duration<Rep, Period> duration) noexcept {
        using seconds = std::chrono::duration<double>;
        if (!(duration > duration.zero())) /* also for NaN */
            return 0;
        if (std::chrono::duration_cast<seconds>(duration) >= seconds(9.2e9))
            return INT64_MAX;
        if constexpr (std::is_integral_v<Rep>)
            return round_up<Period>(static_cast<std::uint64_t>(duration.count()));
        else
            return std::chrono::ceil<std::chrono::duration<std::int64_t, std::nano>>(duration)
                .count();
    }

    /* Apart for whole seconds and for the rest: std::chrono multiplies the whole count, which
       overflows where a nanosecond is no multiple of the period, nor the period of it. */
    template <class Period> static constexpr std::int64_t round_up(std::uint64_t count) noexcept {
        constexpr std::uint64_t num = Period::num, den = Period::den;
        using ns_per_part = std::ratio<1000000000, Period::den>;
        constexpr std::uint64_t multiplier = ns_per_part::num, divisor = ns_per_part::den;
        const std::uint64_t parts = count % den * num; /* of which a second has `den` */
        const std::uint64_t seconds = count / den * num + parts / den;
        const std::uint64_t ns = (parts % den * multiplier + divisor - 1) / divisor;
        return static_cast<std::int64_t>(seconds * 1000000000 + ns);
    }

    std::int64_t ns_;
};

#ifndef forever /* Qt has a macro of this name; timeout::without_end() is the same */
SHMIPC_LOCAL inline constexpr timeout forever = timeout::without_end();
#endif
SHMIPC_LOCAL inline constexpr timeout default_timeout =
    std::chrono::nanoseconds(SHMIPC_TIMEOUT_DEFAULT);

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
