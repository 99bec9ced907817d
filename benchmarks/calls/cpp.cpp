#include "cpp_pair.hpp"

#include <memory>
#include <utility>
#include <vector>

extern "C" {
#include "support/placement.h"
}

cpp_pair *cpp_pair_start(pair_config config) {
    shmipc::host_config settings;
    static_cast<shmipc_host_config &>(settings) = pair_host_config(config);
    const region_name name = pair_name();
    auto started = std::make_unique<cpp_pair>();
    pin_later();
    started->host = taken(shmipc::host::create(name.text, settings));
    started->in_c = pair_of(started->host.native(), name, config);
    return started.release();
}

void cpp_pair_stop(cpp_pair *pair) {
    expect(pair->host.shutdown());
    pair_wait(&pair->in_c);
    delete pair;
}

const pair *cpp_pair_in_c(const cpp_pair *pair) {
    return &pair->in_c;
}

namespace {

/* Calls of a host, or of a slot that is held. */
template <class Caller> struct copying {
    copying(Caller c, std::size_t bytes)
        : caller(std::forward<Caller>(c)), there(bytes), back(bytes) {}

    static void run(void *self, std::uint64_t calls) {
        auto &c = *static_cast<copying *>(self);
        for (std::uint64_t i = 0; i < calls; i++)
            expect(c.caller.call_into(c.back, c.there));
    }
    static void stop(void *self) { delete static_cast<copying *>(self); }

    Caller caller;
    std::vector<char> there, back;
};

template <class Caller> subject start(subject s, Caller &&caller) {
    using calls = copying<Caller>;
    s.self = new calls(std::forward<Caller>(caller), s.label.bytes);
    s.run = calls::run;
    s.stop = calls::stop;
    return s;
}

} // namespace

subject cpp_start(cpp_pair *pair, const char *name, std::size_t bytes) {
    return start<shmipc::host &>(subject_of(*pair, name, bytes, "C++"), pair->host);
}

subject cpp_start_held(cpp_pair *pair, const char *name, std::size_t bytes) {
    return start(subject_of(*pair, name, bytes, "C++, held slot"), taken(pair->host.claim()));
}
