/*
 * Counts the calls of the library that is in this add-in. The linker takes each __wrap_f for f
 * (--wrap), in this add-in alone.
 */
#include "counted.hpp"

#include <shmipc/shmipc.h>

#include <atomic>

#define COUNTED(result, name, parameters, arguments)                                               \
    extern "C" result __real_##name parameters;                                                    \
    extern "C" HIDDEN result __wrap_##name parameters {                                            \
        count++;                                                                                   \
        return __real_##name arguments;                                                            \
    }

static std::atomic<unsigned> count{0};

unsigned uses() {
    return count;
}

COUNTED(const char *, shmipc_strerror, (int error), (error))
COUNTED(const char *, shmipc_last_error, (), ())
COUNTED(int, shmipc_last_os_error, (), ())
COUNTED(void, shmipc_stop, (shmipc_stop_token * token), (token))
COUNTED(int, shmipc_stopped, (const shmipc_stop_token *token), (token))
COUNTED(shmipc_stop_token *, shmipc_set_thread_token, (shmipc_stop_token * token), (token))
COUNTED(int, shmipc_host_create,
        (const char *name, const shmipc_host_config *config, shmipc_peer **peer),
        (name, config, peer))
COUNTED(int, shmipc_guest_attach,
        (const char *name, const shmipc_guest_config *config, int64_t timeout, shmipc_peer **peer),
        (name, config, timeout, peer))
COUNTED(int, shmipc_shutdown, (shmipc_peer * peer, int64_t timeout), (peer, timeout))
COUNTED(int, shmipc_close, (shmipc_peer * peer), (peer))
COUNTED(void, shmipc_free, (shmipc_peer * peer), (peer))
COUNTED(int, shmipc_get_info, (shmipc_peer * peer, shmipc_info *info), (peer, info))
COUNTED(int, shmipc_wait_guests, (shmipc_peer * peer, uint32_t n, int64_t timeout),
        (peer, n, timeout))
COUNTED(int, shmipc_call,
        (shmipc_peer * peer, const shmipc_request *request, shmipc_response *response,
         int64_t timeout),
        (peer, request, response, timeout))
COUNTED(int, shmipc_ping, (shmipc_peer * peer, int64_t timeout, int64_t *rtt), (peer, timeout, rtt))
COUNTED(int, shmipc_slot_claim, (shmipc_peer * peer, int64_t timeout, shmipc_slot *slot),
        (peer, timeout, slot))
COUNTED(void *, shmipc_slot_buffer, (shmipc_slot slot, size_t *capacity), (slot, capacity))
COUNTED(int, shmipc_slot_send, (shmipc_slot slot, uint32_t type, size_t length, uint32_t flags),
        (slot, type, length, flags))
COUNTED(int, shmipc_slot_ready, (shmipc_slot slot), (slot))
COUNTED(int, shmipc_slot_receive, (shmipc_slot slot, int64_t timeout, shmipc_response *response),
        (slot, timeout, response))
COUNTED(int, shmipc_slot_call,
        (shmipc_slot slot, const shmipc_request *request, shmipc_response *response,
         int64_t timeout),
        (slot, request, response, timeout))
COUNTED(int, shmipc_slot_wait_any,
        (const shmipc_slot *slots, size_t n, int64_t timeout, size_t *which),
        (slots, n, timeout, which))
COUNTED(int, shmipc_slot_cancel, (shmipc_slot slot), (slot))
COUNTED(int, shmipc_slot_release, (shmipc_slot slot), (slot))
COUNTED(int, shmipc_abandoned, (const shmipc_request *request), (request))
COUNTED(int, shmipc_serve_until,
        (shmipc_peer * peer, shmipc_handler handler, void *context, shmipc_stop_token *token),
        (peer, handler, context, token))
COUNTED(int, shmipc_poll, (shmipc_peer * peer, shmipc_handler handler, void *context),
        (peer, handler, context))
COUNTED(int, shmipc_wait, (shmipc_peer * peer, int64_t timeout), (peer, timeout))
COUNTED(int, shmipc_wake, (shmipc_peer * peer), (peer))
COUNTED(int, shmipc_next_event, (shmipc_peer * peer, int64_t timeout, shmipc_event *event),
        (peer, timeout, event))
COUNTED(int, shmipc_dead_regions, (const char *prefix, shmipc_dead_region found, void *context),
        (prefix, found, context))
COUNTED(int, shmipc_remove_dead_region, (const char *name), (name))
COUNTED(int, shmipc_remove_dead_regions, (const char *prefix), (prefix))
COUNTED(int, shmipc_pin_thread, (uint32_t cpu), (cpu))
COUNTED(int, shmipc_get_stats, (shmipc_peer * peer, shmipc_stats *stats), (peer, stats))
COUNTED(int, shmipc_get_slot_stats, (shmipc_peer * peer, uint32_t slot, shmipc_stats *stats),
        (peer, slot, stats))
