/* Time-outs. */
#ifndef SHMIPC_CXX_TIMEOUT_HPP
#define SHMIPC_CXX_TIMEOUT_HPP

#include "platform.hpp"

#include <chrono>
#include <cstdint>

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

    template <class Duration> static constexpr std::int64_t to_ns(Duration duration) noexcept {
        using seconds = std::chrono::duration<double>;
        if (!(duration > Duration::zero())) /* also for NaN */
            return 0;
        if (std::chrono::duration_cast<seconds>(duration) >= seconds(9.2e9))
            return INT64_MAX;
        return std::chrono::ceil<std::chrono::duration<std::int64_t, std::nano>>(duration).count();
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
