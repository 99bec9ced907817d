/* Hosts as they come. */
#ifndef SHMIPC_CXX_FINDER_HPP
#define SHMIPC_CXX_FINDER_HPP

#include "error.hpp"

#include <memory>
#include <optional>
#include <string>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

/*
 * Finds hosts as they come, for a guest of many: shmipc_finder. One thread at a time.
 *
 *     auto finder = shmipc::finder::create("myapp-").value();
 *     watch(finder.descriptor().value());
 *
 *     // when it is readable:
 *     while (auto name = finder.next().value())
 *         if (auto guest = shmipc::guest::attach(*name, config, 0s)) ...
 */
class finder {
public:
    finder() noexcept = default;

    /* Of the regions whose name begins with `prefix`; "": of all. */
    SHMIPC_LOCAL static result<finder> create(const std::string &prefix = {}) noexcept {
        if (auto valid = detail::check_name(prefix); !valid)
            return valid.error();
        shmipc_finder *made;
        if (int code = shmipc_finder_create(prefix.c_str(), &made))
            return error::last(code);
        return finder(made);
    }

    /* The descriptor for an event loop: shmipc_finder_get_fd. Stop watching it before this object
       ends. */
    SHMIPC_LOCAL result<shmipc_fd> descriptor() noexcept {
        shmipc_fd fd{};
        if (int code = shmipc_finder_get_fd(native(), &fd))
            return error::last(code);
        return fd;
    }

    /* The name of a region that was not found before; std::nullopt: there is none now. */
    SHMIPC_LOCAL result<std::optional<std::string>> next() {
        char name[SHMIPC_NAME_MAX + 1];
        int found = shmipc_finder_next(native(), name, sizeof name);
        if (found < 0)
            return error::last(found);
        if (found == 0)
            return std::optional<std::string>();
        return std::optional<std::string>(name);
    }

    shmipc_finder *native() const noexcept { return finder_.get(); }

private:
    SHMIPC_LOCAL explicit finder(shmipc_finder *made) noexcept
        : finder_(made, shmipc_finder_free) {}

    /* With a pointer to the function of the library that made it. */
    std::unique_ptr<shmipc_finder, void (*)(shmipc_finder *)> finder_{nullptr, nullptr};
};

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
