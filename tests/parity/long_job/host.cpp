/* Long jobs: the guest acknowledges at once, works beside it, and calls back with the result. */
#include <shmipc/shmipc.hpp>

#include "../parity.hpp"

#include <array>
#include <condition_variable>
#include <mutex>

enum operation : std::uint32_t { start_job = SHMIPC_TYPE_APPLICATION, release_jobs, job_done };
constexpr std::uint64_t jobs = 3;

/* Travels both ways: the guest is a process of the same machine. */
struct job {
    std::uint64_t number;
    std::uint64_t value;
};

/* The results, as guests' calls bring them in any order. */
class results {
public:
    void hear(const shmipc::request &request, shmipc::response &response) {
        const auto done = request.as<job>();
        if (!done || done->number >= jobs)
            return response.fail("this is no result of a job");
        const std::lock_guard<std::mutex> held(lock_);
        values_[done->number] = done->value;
        count_++;
        changed_.notify_one();
    }

    void print_all() {
        std::unique_lock<std::mutex> held(lock_);
        parity::require(
            changed_.wait_for(held, std::chrono::seconds(30), [this] { return count_ == jobs; }),
            "a result did not come");
        for (std::uint64_t i = 0; i < jobs; i++)
            std::printf("job %d: the result is %d\n", static_cast<int>(i),
                        static_cast<int>(values_[i]));
    }

private:
    std::mutex lock_;
    std::condition_variable changed_;
    std::array<std::uint64_t, jobs> values_ = {};
    std::uint64_t count_ = 0;
};

static void run(const std::string &name) {
    auto host = shmipc::host::create(name).value();
    results results;
    shmipc::dispatcher handlers;
    handlers.on(job_done, [&](auto &request, auto &response) { results.hear(request, response); });
    auto server = shmipc::server::start(host, 1, handlers).value();
    host.wait_guests(1).value();

    for (std::uint64_t i = 0; i < jobs; i++) {
        const job job = {i, 10 * i};
        host.call(shmipc::bytes_of(job), start_job).value();
        std::printf("job %d: acknowledged\n", static_cast<int>(i));
    }
    /* No job ends before this call, so none of those above has waited for one. */
    host.call({}, release_jobs).value();
    results.print_all();
    host.shutdown().value();
}

int main(int argc, char **argv) {
    return parity::play(argc, argv, run);
}
