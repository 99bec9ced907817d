/* Dead regions, and processors. */
#ifndef SHMIPC_CXX_REGIONS_HPP
#define SHMIPC_CXX_REGIONS_HPP

#include "error.hpp"

#include <string>
#include <vector>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

/* The names of the dead regions that begin with `prefix`; "": all. Errors: as shmipc_dead_regions,
   and NO_MEMORY. */
SHMIPC_LOCAL inline result<std::vector<std::string>> dead_regions(const std::string &prefix = {}) {
    if (auto valid = detail::check_name(prefix); !valid)
        return valid.error();
    struct search {
        std::vector<std::string> names;
        bool failed = false;
    } found;
    const auto add = [](void *context, const char *name) noexcept {
        auto &to = *static_cast<search *>(context);
#if SHMIPC_EXCEPTIONS
        try {
            to.names.emplace_back(name);
        } catch (const std::bad_alloc &) {
            to.failed = true;
        }
#else
        to.names.emplace_back(name);
#endif
    };
    int count = shmipc_dead_regions(prefix.c_str(), add, &found);
    if (count < 0)
        return error::last(count);
    if (found.failed)
        return error(errc::no_memory, "no memory for the names of dead regions");
    return std::move(found.names);
}

/* Removes one dead region. Errors: as shmipc_remove_dead_region. */
SHMIPC_LOCAL inline result<void> remove_dead_region(const std::string &name) noexcept {
    if (auto valid = detail::check_name(name); !valid)
        return valid;
    return detail::done(shmipc_remove_dead_region(name.c_str()));
}

/* Removes all dead regions that begin with `prefix`. Returns how many it removed. Errors: as
   shmipc_dead_regions. */
SHMIPC_LOCAL inline result<std::size_t>
remove_dead_regions(const std::string &prefix = {}) noexcept {
    if (auto valid = detail::check_name(prefix); !valid)
        return valid.error();
    int count = shmipc_remove_dead_regions(prefix.c_str());
    if (count < 0)
        return error::last(count);
    return static_cast<std::size_t>(count);
}

/* Binds the calling thread to processor `cpu`, counted from 0. Errors: as shmipc_pin_thread. */
SHMIPC_LOCAL inline result<void> pin_thread(std::uint32_t cpu) noexcept {
    return detail::done(shmipc_pin_thread(cpu));
}

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
