/* A peer that several objects share, and its log. */
#ifndef SHMIPC_CXX_PEER_POINTER_HPP
#define SHMIPC_CXX_PEER_POINTER_HPP

#include "error.hpp"

#include <atomic>
#include <functional>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

using log_level = shmipc_log_level;
using logger = std::function<void(log_level, std::string_view)>;

namespace detail {

/* A peer that several objects share: the last one frees it. "shared" and "pointer" in the name tell
   Clang's analyzer that it counts references; otherwise the analyzer reports a use after free. */
class shared_peer_pointer {
public:
    shared_peer_pointer() noexcept = default;
    SHMIPC_LOCAL shared_peer_pointer(const shared_peer_pointer &other) noexcept
        : held_(other.held_) {
        if (held_)
            held_->holders.fetch_add(1, std::memory_order_relaxed); /* `other` keeps it meanwhile */
    }
    shared_peer_pointer(shared_peer_pointer &&other) noexcept
        : held_(std::exchange(other.held_, nullptr)) {}
    SHMIPC_LOCAL shared_peer_pointer &operator=(shared_peer_pointer other) noexcept {
        std::swap(held_, other.held_);
        return *this;
    }
    SHMIPC_LOCAL ~shared_peer_pointer() {
        /* Releases this holder's accesses, and acquires those of all others, before the peer is
           freed. */
        if (held_ && held_->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            held_->free_peer(held_->peer);
            delete held_;
        }
    }

    /* A place for a peer that is about to be made, with its log; empty if there is no memory. */
    SHMIPC_LOCAL static shared_peer_pointer make(const logger &log) noexcept {
        shared_peer_pointer made;
#if SHMIPC_EXCEPTIONS
        try {
            made.held_ = allocate(log);
        } catch (...) { /* the log could not be copied */
        }
#else
        made.held_ = allocate(log);
#endif
        return made;
    }

    explicit operator bool() const noexcept {
        return held_ != nullptr;
    }
    shmipc_peer *get() const noexcept {
        return held_ ? held_->peer : nullptr;
    }

    /* For the function that makes the peer. */
    shmipc_peer **place() noexcept {
        return &held_->peer;
    }
    void *log_context() noexcept {
        return held_;
    }
    static void write_log(void *context, log_level level, const char *text) noexcept {
        static_cast<held *>(context)->log(level, text);
    }

    /* True if a shutdown has closed the peer: closing it again would wait for its handlers. */
    void mark_left() noexcept {
        held_->left.store(true, std::memory_order_relaxed);
    }
    bool has_left() const noexcept {
        return held_->left.load(std::memory_order_relaxed);
    }

    /* As shmipc_slot_release and shmipc_close, for destructors and assignments. */
    void release(shmipc_slot slot) const noexcept {
        (void)held_->release(slot);
    }
    void close() const noexcept {
        (void)held_->close(held_->peer);
    }

private:
    struct held {
        held(const logger &l, int (*r)(shmipc_slot), int (*c)(shmipc_peer *),
             void (*f)(shmipc_peer *))
            : release(r), close(c), free_peer(f), log(l) {}

        /* Of the library that made the peer. */
        int (*release)(shmipc_slot);
        int (*close)(shmipc_peer *);
        void (*free_peer)(shmipc_peer *);
        logger log; /* set at the beginning; a log may not throw: write_log is noexcept */
        shmipc_peer *peer = nullptr;
        std::atomic<std::size_t> holders{1};
        std::atomic<bool> left{false};
    };

    SHMIPC_LOCAL static held *allocate(const logger &log) {
        return new (std::nothrow) held(log, shmipc_slot_release, shmipc_close, shmipc_free);
    }

    held *held_ = nullptr;
};

} // namespace detail

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
