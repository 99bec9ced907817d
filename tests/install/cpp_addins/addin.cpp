/*
 * An add-in in C++ with a library of its own inside, compiled as a user would, nothing hidden. Two
 * of these are in one process: they have the same names for everything but START, and their
 * handlers differ in nothing.
 */
#include "addin.hpp"
#include "counted.hpp"

#include <shmipc/flatbuffers.hpp>
#include <shmipc/shmipc.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#ifdef _WIN32
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C"
#endif

/* Leaves with the line. */
#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

namespace plug_in {

/* Types with names: what the headers make of them has names too, and the loader may take one
   add-in's for the other's. They themselves do not call the library: an add-in's own names are its
   own affair. */
struct echo {
    void operator()(const shmipc::request &request, shmipc::response &response) const {
        response.set_type(request.type());
        response.write(request.data());
    }
};

struct refuse {
    void operator()(const shmipc::request &, shmipc::response &response) const {
        response.fail("refused");
    }
};

struct log {
    int *lines;
    void operator()(shmipc::log_level, std::string_view) const { ++*lines; }
};

} // namespace plug_in

namespace {

using namespace plug_in;

int fail() {
    const auto host = shmipc::host::create("no/name");
    NEED(!host);
    NEED(host.error().code() == shmipc::errc::name);
    NEED(*host.error().what());
    const std::error_code code = host.error();
    NEED(code == shmipc::errc::name && code != shmipc::errc::type);
    NEED(code.message() == shmipc_strerror(SHMIPC_E_NAME));
    try {
        (void)host.value();
        return __LINE__;
    } catch (const shmipc::exception &caught) {
        NEED(caught.error().code() == shmipc::errc::name);
    }
    return 0;
}

int call(shmipc::host &host) {
    const std::string text(3000, 'x');
    const auto answer = host.call(text, shmipc::type_application);
    NEED(answer && answer->text() == text);
    std::vector<char> room(text.size());
    const auto message = host.call_into(room, text);
    NEED(message && message->data.text() == text);
    NEED(host.ping() && host.info() && host.stats() && host.stats(0));
    NEED(host.next_event());
    NEED(host.wake());
    NEED(!host.wait());
    const auto served = host.poll(echo());
    NEED(served && *served == 0);
    return 0;
}

int in_slots(shmipc::host &host) {
    std::vector<shmipc::slot> slots;
    std::optional<shmipc::slot> spare;
    for (int i = 0; i < 3; i++) {
        auto slot = host.claim();
        NEED(slot);
        slots.push_back(*std::move(slot));
    }
    NEED(slots[0].send_copy("text"));
    NEED(slots[1].send(slots[1].buffer().size(), shmipc::type_normal, shmipc::align_end));
    const auto which = shmipc::wait_any(slots);
    NEED(which && slots[*which].ready());
    NEED(slots[*which].receive());
    NEED(slots[2].call("text"));
    spare = std::move(slots[2]);
    slots.pop_back();
    slots.erase(slots.begin());
    NEED(spare->cancel());
    spare.reset();
    slots.clear();

    auto slot = host.claim();
    NEED(slot);
    shmipc::request_builder builder(*slot);
    builder.Finish(builder.CreateString("a text"));
    NEED(builder.call());
    return slot->release() ? 0 : __LINE__;
}

int serve(const std::string &region, int *lines) {
    std::map<std::string, shmipc::host> hosts;
    std::vector<shmipc::guest> guests;
    shmipc::host_config config;
    config.logger = log{lines};
    auto host = shmipc::host::create(region, config);
    NEED(host);
    hosts.emplace(region, *std::move(host));
    shmipc::stop_token token;
    shmipc::guest_config guest_config;
    guest_config.logger = log{lines};
    guest_config.stop = token.native();
    auto guest = shmipc::guest::attach(region, guest_config);
    NEED(guest);
    guests.push_back(*std::move(guest));

    std::map<int, shmipc::server> servers;
    auto server = shmipc::server::start(guests[0], 2, echo());
    NEED(server);
    servers.emplace(1, *std::move(server));
    auto &own = hosts.at(region);
    NEED(own.wait_guests(1));
    if (const int line = call(own))
        return line;
    if (const int line = in_slots(own))
        return line;
    servers.at(1).stop();
    NEED(servers.at(1).wait().code() == shmipc::errc::cancelled);
    servers.clear();

    shmipc::dispatcher dispatcher;
    dispatcher.on(shmipc::type_application, echo())
        .on(shmipc::type_guest_call,
            [](const shmipc::request &request, shmipc::response &response) {
                response.set_type(request.abandoned() ? 1 : 0);
            })
        .otherwise(refuse());
    auto other_server =
        std::make_unique<shmipc::server>(*shmipc::server::start(guests[0], 1, dispatcher));
    NEED(own.call({}, shmipc::type_application));
    NEED(own.call({}, shmipc::type_guest_call));
    NEED(own.call({}).error().handler_message() == "refused");
    other_server.reset();

    token.stop();
    NEED(token.stopped());
    NEED(guests[0].serve(echo(), token).code() == shmipc::errc::cancelled);
    shmipc::host moved;
    moved = std::move(own);
    NEED(moved.shutdown());
    NEED(guests[0].serve(echo()).code() == shmipc::errc::shutdown);
    NEED(guests[0].close());
    return 0;
}

int remains(const char *region) {
    const auto names = shmipc::dead_regions(region);
    NEED(names && names->empty());
    NEED(!shmipc::remove_dead_region(region));
    NEED(shmipc::remove_dead_regions(region));
    (void)shmipc::pin_thread(4000000);
    return 0;
}

int work(const char *region) {
    int lines = 0;
    if (const int line = fail())
        return line;
    if (const int line = serve(region, &lines))
        return line;
    return remains(region);
}

} // namespace

EXPORT const addin *START() {
    static const addin self = {work, uses, shmipc_last_error};
    return &self;
}
