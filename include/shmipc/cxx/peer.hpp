/* Hosts and guests. */
#ifndef SHMIPC_CXX_PEER_HPP
#define SHMIPC_CXX_PEER_HPP

#include "handler.hpp"
#include "slot.hpp"

#include <chrono>
#include <string>

namespace shmipc {
inline namespace SHMIPC_NAMESPACE {

/* Ends attach() and serve() from another thread, and all waits of a thread with a stop_scope; stays
   stopped. It must outlive the calls that use it. */
class stop_token {
public:
    stop_token() noexcept = default;
    stop_token(const stop_token &) = delete;
    stop_token &operator=(const stop_token &) = delete;
    ~stop_token() = default;

    SHMIPC_LOCAL void stop() noexcept { shmipc_stop(&token_); }
    SHMIPC_LOCAL bool stopped() const noexcept { return shmipc_stopped(&token_) != 0; }
    shmipc_stop_token *native() noexcept { return &token_; } /* for guest_config::stop */

private:
    shmipc_stop_token token_ = SHMIPC_STOP_TOKEN_INIT;
};

/* From its construction to its destruction `token` ends the waits of the thread that made it:
   shmipc_set_thread_token. Scopes of one thread nest. */
class stop_scope {
public:
    SHMIPC_LOCAL explicit stop_scope(stop_token &token) noexcept
        : before_(shmipc_set_thread_token(token.native())) {}
    stop_scope(const stop_scope &) = delete;
    stop_scope &operator=(const stop_scope &) = delete;
    SHMIPC_LOCAL ~stop_scope() { shmipc_set_thread_token(before_); }

private:
    shmipc_stop_token *before_;
};

/* The members of shmipc_host_config with their defaults; and `logger`, which may have captures,
   must not throw, and, if set, replaces the members log and log_context. */
struct host_config : shmipc_host_config {
    host_config() : shmipc_host_config(SHMIPC_HOST_CONFIG_INIT) {}
    shmipc::logger logger;
};

/* The same for a guest. */
struct guest_config : shmipc_guest_config {
    guest_config() : shmipc_guest_config(SHMIPC_GUEST_CONFIG_INIT) {}
    shmipc::logger logger;
};

enum class event_kind : int {
    attached = SHMIPC_EVENT_ATTACHED,
    left = SHMIPC_EVENT_LEFT, /* gracefully */
    died = SHMIPC_EVENT_DIED
};

/* A change among the other peers: a host hears of its guests, a guest of its host. */
struct event {
    event_kind kind;
    std::uint32_t peer;    /* 0: the host */
    std::uint32_t pid;     /* for people */
    std::uint64_t address; /* of a guest, for calls to it alone; 0: the host */
    std::uint64_t service; /* of a guest: guest_config::service */
};

/* What arm() watches for, beside answers: 0, one, or both. */
SHMIPC_LOCAL inline constexpr std::uint32_t arm_requests = SHMIPC_ARM_REQUESTS;
SHMIPC_LOCAL inline constexpr std::uint32_t arm_events = SHMIPC_ARM_EVENTS;

/*
 * One end of a region: the common part of host and guest. The destructor closes it: calls and waits
 * on it end with errc::closed, and the destructor returns when the handlers have returned. It does
 * not wait for handlers that a shutdown() cut off. A handler of this peer must not destroy it.
 */
class peer : public calls<peer> {
public:
    /* Claims a slot, waiting for one. */
    SHMIPC_LOCAL result<slot> claim(timeout within = default_timeout) noexcept {
        shmipc_slot claimed;
        if (int code = shmipc_slot_claim(native(), within.ns(), &claimed))
            return error::last(code);
        return slot(peer_, claimed);
    }

    /* Serves with this thread until something ends it. Returns the reason: woken, closed, shutdown,
       peer_died, name_lost, corrupt, invalid; with a token also cancelled. Uses the handler by
       reference until then. */
    template <class Handler> SHMIPC_LOCAL error serve(Handler &&handler) {
        return serve_until(handler, nullptr);
    }
    template <class Handler> SHMIPC_LOCAL error serve(Handler &&handler, stop_token &token) {
        return serve_until(handler, token.native());
    }

    /* Serves the requests that wait, without waiting for more. Returns their number. */
    template <class Handler> SHMIPC_LOCAL result<std::size_t> poll(Handler &&handler) {
        const detail::shared_peer_pointer kept = peer_;
        detail::bound_handler<std::remove_reference_t<Handler>> bound{handler};
        int served = shmipc_poll(kept.get(), &bound.call, &bound);
        if (served < 0)
            return error::last(served);
        return static_cast<std::size_t>(served);
    }

    /* Waits until poll() would find a request. */
    SHMIPC_LOCAL result<void> wait(timeout within = default_timeout) noexcept {
        return detail::done(shmipc_wait(native(), within.ns()));
    }

    /* Ends every serve() and wait() that runs now, or else the next one, with errc::woken. */
    SHMIPC_LOCAL result<void> wake() noexcept { return detail::done(shmipc_wake(native())); }

    /* Returns the round-trip time to the other side's library; some thread must be serving
       there. */
    SHMIPC_LOCAL result<std::chrono::nanoseconds> ping(timeout within = default_timeout) noexcept {
        std::int64_t rtt = 0;
        if (int code = shmipc_ping(native(), within.ns(), &rtt))
            return error::last(code);
        return std::chrono::nanoseconds(rtt);
    }

    /* Waits for the next change among the other peers. */
    SHMIPC_LOCAL result<event> next_event(timeout within = default_timeout) noexcept {
        shmipc_event next;
        if (int code = shmipc_next_event(native(), within.ns(), &next))
            return error::last(code);
        return event{static_cast<event_kind>(next.kind), next.peer, next.pid, next.address,
                     next.service};
    }

    /* The descriptor for an event loop: shmipc_get_fd. Stop watching it before this object ends. It
       belongs to one thread at a time, and so do arm and disarm. */
    SHMIPC_LOCAL result<shmipc_fd> descriptor() noexcept {
        shmipc_fd fd{};
        if (int code = shmipc_get_fd(native(), &fd))
            return error::last(code);
        return fd;
    }

    /* shmipc_arm: `events` is of arm_requests and arm_events, `range` is one of slots as for
       wait_any, or empty. True if something is there already. */
    template <class Slots>
    SHMIPC_LOCAL result<bool> arm(std::uint32_t events, const Slots &range) noexcept {
        return detail::use_native(range, [&](const shmipc_slot *copies, std::size_t count) {
            return armed(shmipc_arm(native(), events, copies, count));
        });
    }
    SHMIPC_LOCAL result<bool> arm(std::uint32_t events) noexcept {
        return armed(shmipc_arm(native(), events, nullptr, 0));
    }

    SHMIPC_LOCAL result<void> disarm() noexcept { return detail::done(shmipc_disarm(native())); }

    SHMIPC_LOCAL result<shmipc_info> info() const noexcept {
        shmipc_info info;
        if (int code = shmipc_get_info(native(), &info))
            return error::last(code);
        return info;
    }

    SHMIPC_LOCAL result<shmipc_stats> stats() const noexcept {
        shmipc_stats stats;
        if (int code = shmipc_get_stats(native(), &stats))
            return error::last(code);
        return stats;
    }

    SHMIPC_LOCAL result<shmipc_stats> stats(std::uint32_t slot_index) const noexcept {
        shmipc_stats stats;
        if (int code = shmipc_get_slot_stats(native(), slot_index, &stats))
            return error::last(code);
        return stats;
    }

    /* Leaves gracefully, waiting for calls under way, running handlers and held slots; cuts off
       those that are left at the end of the time-out. */
    SHMIPC_LOCAL result<void> shutdown(timeout within = default_timeout) noexcept {
        int code = shmipc_shutdown(native(), within.ns());
        if (peer_ && code != SHMIPC_E_STATE)
            peer_.mark_left();
        return detail::done(code);
    }

    /* Leaves at once, and returns when the handlers have returned. */
    SHMIPC_LOCAL result<void> close() noexcept {
        return detail::done_silently(shmipc_close(native()));
    }

    /* For functions of shmipc.h; NULL if there is none. This object still owns it. */
    shmipc_peer *native() const noexcept { return peer_.get(); }

protected:
    peer() noexcept = default;
    explicit peer(detail::shared_peer_pointer made) noexcept : peer_(std::move(made)) {}
    peer(peer &&) noexcept = default;
    peer &operator=(peer &&from) noexcept {
        if (this != &from) {
            leave();
            peer_ = std::move(from.peer_);
        }
        return *this;
    }
    ~peer() { leave(); }

    /* Makes a peer by `create(config, place)`, with the log of a host_config or a guest_config. */
    template <class Config, class Create>
    SHMIPC_LOCAL static result<detail::shared_peer_pointer>
    make(Config config, const logger &log, const std::string &name, Create create) {
        if (auto valid = detail::check_name(name); !valid)
            return valid.error();
        auto made = detail::shared_peer_pointer::make(log);
        if (!made)
            return error(errc::no_memory, "no memory for a peer");
        if (log) {
            config.log = &detail::shared_peer_pointer::write_log;
            config.log_context = made.log_context();
        }
        if (int code = create(&config, made.place()))
            return error::last(code);
        return made;
    }

private:
    friend class calls<peer>;
    friend class server;

    SHMIPC_LOCAL int invoke(const shmipc_request *request, shmipc_response *response,
                            std::int64_t within) noexcept {
        return shmipc_call(native(), request, response, within);
    }

    SHMIPC_LOCAL static result<bool> armed(int ready) noexcept {
        if (ready < 0)
            return error::last(ready);
        return ready == 1;
    }

    template <class Handler>
    SHMIPC_LOCAL error serve_until(Handler &handler, shmipc_stop_token *token) {
        const detail::shared_peer_pointer kept =
            peer_; /* also if a shutdown leaves this thread behind */
        return serve_kept(kept, handler, token);
    }
    template <class Handler>
    SHMIPC_LOCAL static error serve_kept(const detail::shared_peer_pointer &kept, Handler &handler,
                                         shmipc_stop_token *token) {
        detail::bound_handler<Handler> bound{handler};
        return error::last(shmipc_serve_until(kept.get(), &bound.call, &bound, token));
    }

    void leave() noexcept {
        if (peer_ && !peer_.has_left())
            peer_.close();
    }

    detail::shared_peer_pointer peer_;
};

/* Creates a region and owns it. */
class host : public peer {
public:
    host() noexcept = default;

    /* shmipc_host_create. */
    SHMIPC_LOCAL static result<host> create(const std::string &name,
                                            const host_config &config = {}) {
        auto made = make(static_cast<const shmipc_host_config &>(config), config.logger, name,
                         [&](const shmipc_host_config *c, shmipc_peer **place) {
                             return shmipc_host_create(name.c_str(), c, place);
                         });
        if (!made)
            return made.error();
        return host(*std::move(made));
    }

    /* Waits until at least `count` guests that serve are attached. */
    SHMIPC_LOCAL result<void> wait_guests(std::uint32_t count,
                                          timeout within = default_timeout) noexcept {
        return detail::done(shmipc_wait_guests(native(), count, within.ns()));
    }

    /* The address of a guest whose guest_config::service is `service`: shmipc_find_guest. */
    SHMIPC_LOCAL result<std::uint64_t> find_guest(std::uint64_t service) const noexcept {
        std::uint64_t address = 0;
        if (int code = shmipc_find_guest(native(), service, &address))
            return error::last(code);
        return address;
    }

private:
    explicit host(detail::shared_peer_pointer made) noexcept : peer(std::move(made)) {}
};

/* Attaches to a host's region. */
class guest : public peer {
public:
    guest() noexcept = default;

    /* shmipc_guest_attach: waits for a host of this name to appear. */
    SHMIPC_LOCAL static result<guest> attach(const std::string &name,
                                             const guest_config &config = {},
                                             timeout within = default_timeout) {
        auto made = make(static_cast<const shmipc_guest_config &>(config), config.logger, name,
                         [&](const shmipc_guest_config *c, shmipc_peer **place) {
                             return shmipc_guest_attach(name.c_str(), c, within.ns(), place);
                         });
        if (!made)
            return made.error();
        return guest(*std::move(made));
    }

private:
    explicit guest(detail::shared_peer_pointer made) noexcept : peer(std::move(made)) {}
};

} // namespace SHMIPC_NAMESPACE
} // namespace shmipc

#endif
