/*
 * What the tests in C++ share: a check for any thread, regions with names of their own, a watchdog,
 * and a main that runs one scene after the other.
 */
#ifndef SHMIPC_TESTS_CPP_HPP
#define SHMIPC_TESTS_CPP_HPP

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <mutex>
#include <string>
#include <thread>

#ifdef _WIN32
#include <process.h>
#else
#include <unistd.h>
#endif

/* Ends the process with a message if the condition does not hold. */
#define must(...)                                                                                  \
    ((__VA_ARGS__) ? void() : ::testing::die(__FILE__, __LINE__, "not true: " #__VA_ARGS__))

namespace testing {

/* Without destructors, which might wait for the thread that failed. */
[[noreturn]] inline void die(const char *file, int line, const char *text) {
    std::fprintf(stderr, "%s:%d: %s\n", file, line, text);
    std::fflush(nullptr);
    std::_Exit(1);
}

/* Repeats until the condition holds; a condition that never does ends in the watchdog. */
template <typename Condition> void eventually(Condition condition) {
    while (!condition())
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

/* Ends the process, with `what` in the message, unless it is destroyed in time. */
class watchdog {
public:
    explicit watchdog(const char *what, std::chrono::seconds limit = std::chrono::seconds(60))
        : thread_([this, what, limit] { watch(what, limit); }) {}
    watchdog(const watchdog &) = delete;
    watchdog &operator=(const watchdog &) = delete;

    ~watchdog() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            over_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }

private:
    void watch(const char *what, std::chrono::seconds limit) {
        std::unique_lock<std::mutex> lock(mutex_);
        if (!changed_.wait_for(lock, limit, [this] { return over_; }))
            die(what, static_cast<int>(limit.count()), "is not over after so many seconds");
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
    std::thread thread_; /* the last member: it uses the others */
};

/* With what the names of all regions of this process begin. */
inline std::string name_prefix() {
#ifdef _WIN32
    return "cpp." + std::to_string(_getpid()) + ".";
#else
    return "cpp." + std::to_string(getpid()) + ".";
#endif
}

/* Another one at every call. */
inline std::string new_name() {
    static std::atomic<unsigned> count{0};
    return name_prefix() + std::to_string(count.fetch_add(1));
}

/* How many regions of ours there are; always 0 where they cannot be told. */
inline int count_regions() {
    int count = 0;
#ifdef __linux__
    const std::string ours = "shmipc." + name_prefix();
    for (const auto &entry : std::filesystem::directory_iterator("/dev/shm"))
        if (entry.path().filename().string().compare(0, ours.size(), ours) == 0)
            count++;
#endif
    return count;
}

struct scene {
    const char *name;
    void (*play)();
};

#define SCENE(name) ::testing::scene({#name, name})

/* Each with a watchdog of its own; none may leave a region behind. */
inline int run(std::initializer_list<scene> scenes) {
    for (const scene &scene : scenes) {
        std::printf("%s\n", scene.name);
        std::fflush(stdout);
        const watchdog watchdog(scene.name);
        scene.play();
        if (count_regions() != 0)
            die(scene.name, count_regions(), "regions are left");
    }
    return 0;
}

} /* namespace testing */

#endif
