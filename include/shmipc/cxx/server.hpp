/* Threads that serve. */
#ifndef SHMIPC_CXX_SERVER_HPP
#define SHMIPC_CXX_SERVER_HPP

#include "peer.hpp"

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

#if SHMIPC_THREADS
/*
 * Threads that serve a peer. Its destructor stops them and waits until their handlers have
 * returned; so declare the objects that a handler refers to before the server. A handler must not
 * stop, wait for or destroy its server.
 *
 *     auto server = shmipc::server::start(*host, 2, [&](auto &request, auto &response) { ... });
 */
class server {
public:
    server() noexcept = default;
    server(server &&) noexcept = default;
    server &operator=(server &&from) noexcept {
        if (this != &from) {
            stop();
            workers_ = std::move(from.workers_);
        }
        return *this;
    }
    ~server() { stop(); }

    /* Starts `threads` of them, 1 or more; all use one copy of `handler`. Errors: INVALID,
       NO_MEMORY, SYSTEM (a thread cannot be started; those that were have ended). */
    template <class Handler>
    SHMIPC_LOCAL static result<server> start(peer &peer, unsigned threads, Handler handler);

    /* Waits until all threads have ended, stopped or not. Returns the reason why the first one
       ended, as serve() does; cancelled: it was stopped. */
    error wait();

    /* The reason why the first thread ended, if one has; does not wait. */
    std::optional<error> ended() const {
        if (!workers_)
            return std::nullopt;
        std::lock_guard<std::mutex> held(workers_->lock);
        return workers_->reason;
    }

    /* Ends the threads and waits for them. Twice is harmless. */
    void stop() noexcept;

private:
    /* The threads' shared state. Its address stays the same when its server is moved. */
    struct worker_pool {
        virtual ~worker_pool() = default;
        virtual error serve() = 0;
        virtual void end() noexcept = 0; /* makes serve() return in all threads */
        void run();
        void join();

        shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
        std::vector<std::thread> threads; /* written by start(), and under `joining` */
        std::mutex joining;               /* held while joining: a thread is joined once */
        std::mutex lock;
        std::optional<error> reason; /* of the first thread that ended, under `lock` */
    };
    template <class Handler> struct SHMIPC_LOCAL workers_of;

    std::unique_ptr<worker_pool> workers_;
};

template <class Handler> struct SHMIPC_LOCAL server::workers_of final : server::worker_pool {
    workers_of(const detail::shared_peer_pointer &p, Handler h) : peer(p), handler(std::move(h)) {}
    error serve() override { return peer::serve_kept(peer, handler, &token); }
    void end() noexcept override { shmipc_stop(&token); }

    detail::shared_peer_pointer peer;
    Handler handler;
};

inline void server::worker_pool::run() {
    error ended = serve();
    std::lock_guard<std::mutex> held(lock);
    if (!reason)
        reason = ended;
}

inline void server::worker_pool::join() {
    std::lock_guard<std::mutex> turn(joining);
    for (std::thread &thread : threads)
        if (thread.joinable())
            thread.join();
}

inline error server::wait() {
    if (!workers_)
        return error(errc::invalid, "this server was never started");
    workers_->join();
    return *workers_->reason;
}

inline void server::stop() noexcept {
    if (!workers_)
        return;
    workers_->end();
    workers_->join();
}

template <class Handler>
result<server> server::start(peer &peer, unsigned threads, Handler handler) {
    if (threads == 0 || !peer.native())
        return error(errc::invalid, threads ? "there is no peer to serve"
                                            : "a server of 0 threads: it takes 1 at least");
    server started;
    const auto begin = [&] {
        started.workers_ = std::make_unique<workers_of<Handler>>(peer.peer_, std::move(handler));
        started.workers_->threads.reserve(threads);
        for (unsigned i = 0; i < threads; i++)
            started.workers_->threads.emplace_back(&worker_pool::run, started.workers_.get());
    };
#if SHMIPC_EXCEPTIONS
    try {
        begin();
    } catch (const std::system_error &refused) {
        return error(errc::system, "a server's thread cannot be started", refused.code().value());
    } catch (const std::bad_alloc &) {
        return error(errc::no_memory, "no memory for a server");
    }
#else
    begin();
#endif
    return started;
}
#endif

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
