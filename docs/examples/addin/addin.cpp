/* An add-in: a host inside an application that knows nothing of libshmipc. It asks a guest, and
   answers what the guest asks meanwhile. */
#include "addin.h"
#include "basket_generated.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <shmipc/flatbuffers.hpp>
#include <shmipc/shmipc.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;

/* Members are destroyed in reverse order: the server, which waits for its handlers, then the
   host. */
struct session {
    shmipc::host host;
    shmipc::server server;
};

/* A plain pointer, deleted by addin_unload. The destructor of a static object would run when the
   add-in is unloaded: on Windows under the loader's lock, under which no thread can be joined. */
session *current = nullptr;

/* The guest sends the name of a currency and gets its rate, a double. */
enum class kind : std::uint32_t { rate = shmipc::type_application.value() };

struct rate {
    const char *currency;
    double value;
};
constexpr rate rates[] = {{"EUR", 1.0}, {"USD", 0.5}, {"GBP", 1.25}};

/* Runs in the server's threads. */
void answer_rate(const shmipc::request &request, shmipc::response &response) {
    for (const rate &known : rates)
        if (request.text() == known.currency) {
            response.write(shmipc::bytes_of(known.value));
            return;
        }
    response.fail("no rate for " + std::string(request.text()));
}

/* The guest calls the add-in, so there is a host from the beginning. An add-in that only calls
   would create its host with its first call: applications also load plug-ins that nobody uses. */
void load(const char *region) {
    if (current)
        throw std::logic_error("the add-in is loaded already");
    auto host = shmipc::host::create(region).value();
    shmipc::dispatcher handlers; /* requests of other types fail */
    handlers.on(kind::rate, answer_rate);
    auto server = shmipc::server::start(host, 2, handlers).value();
    current = new session{std::move(host), std::move(server)};
}

/* The request is built where the guest reads it, and the answer read where the guest built it. */
double compute(const char *currency, const double *amounts, std::size_t count) {
    if (!current)
        throw std::logic_error("the add-in is not loaded");
    auto slot = current->host.claim(10s).value();
    shmipc::request_builder builder(slot);
    const auto name = builder.CreateString(currency);
    builder.Finish(till::CreateBasket(builder, name, builder.CreateVector(amounts, count)));
    /* If no guest is there, it waits for one. */
    const auto answer = builder.call(shmipc::type_flatbuffer, 10s, shmipc::wait_ready).value();
    const auto *total = shmipc::verified<till::Total>(answer.data);
    if (!total)
        throw std::runtime_error("the guest's answer is no Total");
    return total->amount();
}

/* The guest is told first: shutdown waits until what is under way has ended. */
void unload() {
    if (!current)
        return;
    const auto left = current->host.shutdown(5s);
    delete std::exchange(current, nullptr);
    left.value();
}

/* No exception leaves the add-in. */
template <class Work> int guarded(char *why, std::size_t size, Work work) noexcept {
    try {
        work();
        return 0;
    } catch (const std::exception &failure) {
        (void)std::snprintf(why, size, "%s", failure.what());
        return -1;
    }
}

} // namespace

int addin_load(const char *region, char *why, std::size_t size) {
    return guarded(why, size, [=] { load(region); });
}

int addin_compute(const char *currency, const double *amounts, std::size_t count, double *total,
                  char *why, std::size_t size) {
    return guarded(why, size, [=] { *total = compute(currency, amounts, count); });
}

int addin_unload(char *why, std::size_t size) {
    return guarded(why, size, unload);
}
