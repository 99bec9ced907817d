/* Finding hosts. */
#include "cpp/pair.hpp"

#include <utility>

extern "C" {
#include "support/readable.h"
}

using namespace std::chrono_literals;

#ifdef _WIN32

static void names_cannot_be_listed() {
    const auto finder = shmipc::finder::create();
    must(finder.error().code() == shmipc::errc::not_supported);
}

#else

static constexpr std::int64_t second = 1000000000;

static std::string found(shmipc::finder &finder) {
    for (;;) {
        must(is_readable(finder.descriptor().value(), 10 * second));
        if (auto name = finder.next().value())
            return *std::move(name);
    }
}

static void hosts_are_found_as_they_come() {
    testing::pair p;
    shmipc::finder finder = shmipc::finder::create(p.name).value();
    must(found(finder) == p.name && !finder.next().value());
    const std::string later = p.name + ".later";
    auto host = shmipc::host::create(later, testing::small_config()).value();
    must(found(finder) == later && !finder.next().value());
}

static void a_finder_is_moved() {
    const std::string name = testing::new_name();
    shmipc::finder from = shmipc::finder::create(name).value();
    shmipc::finder to = std::move(from);
    from = shmipc::finder();
    auto host = shmipc::host::create(name, testing::small_config()).value();
    must(found(to) == name);
    to = shmipc::finder::create(name).value();
    must(found(to) == name);
}

static void what_is_wrong_is_told() {
    shmipc::finder none;
    must(none.next().error().code() == shmipc::errc::invalid);
    must(none.descriptor().error().code() == shmipc::errc::invalid);
    must(shmipc::finder::create("../").error().code() == shmipc::errc::name);
    const std::string longer = testing::new_name() + '\0' + "x";
    must(shmipc::finder::create(longer).error().code() == shmipc::errc::name);
}

#endif

int main() {
#ifdef _WIN32
    return testing::run({SCENE(names_cannot_be_listed)});
#else
    return testing::run({SCENE(hosts_are_found_as_they_come), SCENE(a_finder_is_moved),
                         SCENE(what_is_wrong_is_told)});
#endif
}
