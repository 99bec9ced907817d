/* What an add-in uses of the headers, for unloadable.sh: compiled, not run. */
#include <shmipc/flatbuffers.hpp>

#include <string>

static int serve(shmipc::host &host) {
    shmipc::dispatcher dispatcher;
    dispatcher.on(128, [](auto &, auto &response) { response.fail("no"); })
        .on(shmipc::type_flatbuffer, [](auto &request, auto &response) {
            shmipc::response_builder builder(response);
            builder.Finish(builder.CreateString(std::string(request.text())));
            builder.respond().value();
        });
    dispatcher.otherwise([](auto &, auto &) {});
    auto server = shmipc::server::start(host, 2, dispatcher);
    return server ? static_cast<int>(server->wait().code()) : 0;
}

static int call(shmipc::slot &slot) {
    shmipc::request_builder builder(slot);
    builder.Finish(builder.CreateString("x"));
    const auto answer = builder.call();
    return answer ? static_cast<int>(answer->data.size()) : answer.error().os_error();
}

extern "C" int use(const char *name);
extern "C" int use(const char *name) try {
    shmipc::host_config config;
    config.logger = [](shmipc::log_level, std::string_view) {};
    auto host = shmipc::host::create(name, config).value();
    auto guest = shmipc::guest::attach(name).value();
    auto slot = guest.claim().value();
    const auto dead = shmipc::dead_regions().value();
    auto finder = shmipc::finder::create(name).value();
    if (finder.next().value())
        return finder.native() != nullptr;
    return serve(host) + call(slot) + static_cast<int>(dead.size()) +
           static_cast<int>(host.call("x").value().size());
} catch (const shmipc::exception &failure) {
    return failure.code() == shmipc::errc::timeout ? 1 : 2;
}
