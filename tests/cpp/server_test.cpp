/* Servers: their threads, and that they end whatever happens. */
#include "cpp/pair.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#ifdef __linux__
#include <sys/resource.h>
#endif

using testing::echo;
using testing::pair;

/* All handlers are in at the same time, or the watchdog ends it. */
static void as_many_handlers_run_as_there_are_threads() {
    constexpr unsigned threads = 4;
    shmipc::host_config config = testing::small_config();
    config.host_slots = threads;
    pair p(config);
    std::atomic<unsigned> in{0};
    auto server = testing::serve(
        p.guest,
        [&](auto &, auto &) {
            in++;
            testing::eventually([&] { return in.load() == threads; });
        },
        threads);
    std::vector<shmipc::slot> slots;
    for (unsigned i = 0; i < threads; i++) {
        slots.push_back(p.host.claim().value());
        must(slots.back().send_copy("x").has_value());
    }
    for (shmipc::slot &slot : slots)
        must(slot.receive(shmipc::forever).has_value());
}

static void a_server_says_why_it_ended() {
    pair p;
    auto server = testing::serve(p.guest, echo, 2);
    must(p.host.call("x").has_value() && !server.ended() && !shmipc::server().ended());
    must(p.guest.shutdown().has_value());
    testing::eventually([&] { return server.ended().has_value(); });
    must(server.wait().code() == shmipc::errc::shutdown);

    pair other;
    auto stopped = testing::serve(other.guest, echo, 2);
    stopped.stop();
    stopped.stop();
    must(stopped.wait().code() == shmipc::errc::cancelled);
    must(shmipc::server().wait().code() == shmipc::errc::invalid);
}

/* One thread waits for it, two others stop it. */
static void several_threads_may_end_a_server() {
    const testing::watchdog alarm("several_threads_may_end_a_server", std::chrono::seconds(20));
    for (int round = 0; round < 50; round++) {
        pair p;
        auto server = testing::serve(p.guest, echo, 2);
        std::thread first([&] { server.stop(); });
        std::thread second([&] { server.stop(); });
        must(server.wait().code() == shmipc::errc::cancelled);
        first.join();
        second.join();
    }
}

/* The handler of the first one has gone when it is replaced, and so have its threads. */
static void a_server_moves() {
    pair p;
    const auto kept = std::make_shared<int>(0);
    shmipc::server first = testing::serve(
        p.guest, [kept](auto &, auto &) {}, 2);
    shmipc::server second = std::move(first);
    must(p.host.call("x").has_value() && kept.use_count() == 2);
    second = testing::serve(p.guest, echo);
    must(kept.use_count() == 1);
    must(p.host.call("x").has_value());
}

static void a_server_ends_with_its_scope_also_by_an_exception() {
    pair p;
    int calls = 0; /* of a handler that must not run when this is gone */
    try {
        shmipc::server server;
        server = testing::serve(p.guest, [&](auto &, auto &) { calls++; });
        must(p.host.call("x").has_value());
        throw std::runtime_error("meanwhile");
    } catch (const std::runtime_error &) {
        must(calls == 1);
    }
    must(p.host.call("x", 0, std::chrono::seconds(0)).error().code() == shmipc::errc::timeout);
}

static void a_server_outlives_its_peer() {
    std::optional<pair> p(std::in_place);
    shmipc::server server = testing::serve(p->guest, echo, 2);
    must(p->host.call("x").has_value());
    p.reset();
    const shmipc::errc code = server.wait().code();
    must(code == shmipc::errc::closed || code == shmipc::errc::peer_died ||
         code == shmipc::errc::shutdown);
}

static void a_server_has_a_thread_at_least() {
    pair p;
    auto none = shmipc::server::start(p.guest, 0, echo);
    must(!none && none.error().code() == shmipc::errc::invalid);
}

#ifdef __linux__
static bool runs_under_a_sanitizer() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
    return __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
    return false;
#endif
}

/* Memory for two stacks of 8 MiB, not for sixteen: some threads start, the next one does not. */
static void threads_that_did_start_end_if_another_cannot() {
    if (runs_under_a_sanitizer()) { /* it has taken all addresses */
        std::puts("not run under a sanitizer");
        return;
    }
    pair p;
    rlimit old{};
    must(getrlimit(RLIMIT_AS, &old) == 0);
    std::FILE *status = std::fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    must(status && std::fscanf(status, "%lu", &pages) == 1);
    must(std::fclose(status) == 0);
    rlimit tight = old;
    tight.rlim_cur = pages * 4096 + 20UL * 1024 * 1024;
    must(setrlimit(RLIMIT_AS, &tight) == 0);
    auto refused = shmipc::server::start(p.guest, 16, echo);
    must(setrlimit(RLIMIT_AS, &old) == 0);
    must(!refused && refused.error().code() == shmipc::errc::system);
    must(refused.error().os_error() == EAGAIN);
    auto server = testing::serve(p.guest, echo);
    must(p.host.call("x").has_value());
}
#endif

int main() {
    return testing::run({
#ifdef __linux__
        SCENE(threads_that_did_start_end_if_another_cannot),
#endif
        SCENE(as_many_handlers_run_as_there_are_threads), SCENE(a_server_says_why_it_ended),
        SCENE(several_threads_may_end_a_server), SCENE(a_server_moves),
        SCENE(a_server_ends_with_its_scope_also_by_an_exception), SCENE(a_server_outlives_its_peer),
        SCENE(a_server_has_a_thread_at_least)});
}
