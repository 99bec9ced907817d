/* Long jobs: the guest acknowledges at once, works, and calls back with the result. No call waits
   for the work, so no slot is held by it. */
#include <array>
#include <chrono>
#include <cstdint>
#include <future>
#include <iostream>
#include <shmipc/shmipc.hpp>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

enum class kind : std::uint32_t { start = shmipc::type_application.value(), done };

/* Of both kinds. */
struct message {
    std::uint64_t job;   /* which job: results come in any order */
    std::uint64_t value; /* start: a number; done: how many primes are below it */
};

static constexpr std::uint64_t jobs = 3;
using promises = std::array<std::promise<std::uint64_t>, jobs>;

/* Answers what guests call with. A result that comes twice throws, which tells its guest. */
static shmipc::dispatcher handlers(promises &results) {
    shmipc::dispatcher handlers;
    handlers.on(kind::done, [&](const shmipc::request &request, shmipc::response &response) {
        const auto done = request.as<message>();
        if (!done || done->job >= jobs)
            return response.fail("this is no result of a job");
        results[done->job].set_value(done->value);
    });
    return handlers;
}

static void start_jobs(shmipc::host &host) {
    for (std::uint64_t job = 0; job < jobs; job++) {
        const message start = {job, 1000000 / (job + 1)};
        host.call(shmipc::bytes_of(start), kind::start).value();
    }
}

/* A guest that died will never call back: that is what the time limit is for. */
static void wait_for_results(promises &results) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    for (std::uint64_t job = 0; job < jobs; job++) {
        auto result = results[job].get_future();
        if (result.wait_until(deadline) != std::future_status::ready)
            throw std::runtime_error("no result of job " + std::to_string(job));
        std::cout << "job " << job << ": " << result.get() << " primes\n";
    }
}

int main(int argc, char **argv) try {
    promises results; /* before the server, whose handlers use them */
    auto host = shmipc::host::create(argc > 1 ? argv[1] : "long_job").value();
    const auto server = shmipc::server::start(host, 1, handlers(results)).value();
    host.wait_guests(1).value();
    start_jobs(host);
    wait_for_results(results);
    host.shutdown().value();
    return 0;
} catch (const std::exception &failure) {
    std::cerr << failure.what() << '\n';
    return 1;
}
