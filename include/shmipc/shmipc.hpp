/*
 * libshmipc for C++: the functions of shmipc.h as types that own what they hold. C++17,
 * header-only, beside the C library.
 *
 *     // host                                      // guest
 *     auto host = shmipc::host::create("demo");    auto guest = shmipc::guest::attach("demo");
 *     if (!host || !host->wait_guests(1))          if (!guest)
 *         return 1;                                    return 1;
 *     auto answer = host->call("hello");           guest->serve([](auto &request, auto &response) {
 *     if (answer)                                      response.write(request.data());
 *         std::cout << answer->text();             });
 *     else
 *         std::cerr << answer.error().what();
 *
 * What a function means, which errors it has, and how processes live and die together is said in
 * shmipc.h, at the function of the same name. What C++ adds is said here, and at each type, in the
 * files below; read them from calls.hpp on.
 *
 * Errors. A function that can fail returns a result: true, and then *result is the value; or false,
 * and then result.error() has the code and the sentence, which nothing overwrites any more. Only
 * result::value() throws. All works with -fno-exceptions and -fno-rtti too; value() then aborts. A
 * compiler warns of a result that is not looked at: cast to void what a program that is ending does
 * not care for.
 *
 * Ownership. host, guest, slot and server give back in their destructor what they hold, and move
 * but do not copy. A slot, a server and a serve() keep the peer's memory: the last of them frees
 * it. A host or guest that was moved from, or never had a peer, refuses every call with
 * errc::invalid; such a slot with errc::stale.
 *
 * Threads. Everything may be called by any thread at any time, with two exceptions: what ends or
 * replaces an object (its destructor, an assignment, a move from it), when no other thread uses it;
 * and the functions of a slot, which is one thread's at a time (but for cancel).
 *
 * Memory. No call allocates but one of call() whose answer, or handler's message, has more than
 * SHMIPC_INLINE bytes, for that. call_into(), slots and handlers do without. Creating, attaching,
 * registering a handler and starting a server allocate.
 *
 * Time-outs are std::chrono durations of any unit. A negative one counts as 0, "do not wait": what
 * is left until a deadline can be passed as it is. `forever` waits without end, and so does
 * timeout::without_end(), where a macro has that name.
 *
 * Shared objects. Two of them that each contain the static library may live in one process: each
 * calls its own. Objects of these types do not pass from one to the other.
 */
#ifndef SHMIPC_SHMIPC_HPP
#define SHMIPC_SHMIPC_HPP

#include "cxx/bytes.hpp"   /* byte_view, byte_span, bytes_of */
#include "cxx/calls.hpp"   /* call, call_into: of hosts, guests and slots */
#include "cxx/error.hpp"   /* errc, error, result, exception */
#include "cxx/handler.hpp" /* request, response, dispatcher */
#include "cxx/message.hpp" /* message_type, message, answer */
#include "cxx/peer.hpp"    /* host, guest, and how they are configured */
#include "cxx/regions.hpp" /* dead_regions, pin_thread */
#include "cxx/server.hpp"  /* server */
#include "cxx/slot.hpp"    /* slot, wait_any */
#include "cxx/timeout.hpp" /* timeout, forever, default_timeout */

#endif
