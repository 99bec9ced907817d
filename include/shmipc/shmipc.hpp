/*
 * libshmipc for C++: the functions of shmipc.h as types that own their resources. C++17,
 * header-only, used with the C library.
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
 * shmipc.h says what a function means and which errors it has, at the function of the same name,
 * and what happens when processes end. The files below say what C++ adds, at each type; read them
 * from calls.hpp on.
 *
 * Errors. A function that can fail returns a result: true, and then *result is the value; or false,
 * and then result.error() has the code and the sentence, which nothing overwrites any more. Only
 * result::value() throws. Everything works with -fno-exceptions and -fno-rtti too; value() then
 * aborts. A compiler warns of an unused result: cast it to void if the program does not care, as
 * when it is ending.
 *
 * Ownership. host, guest, slot, server and finder release their resources in their destructor, and
 * can be moved but not copied. A slot, a server and a serve() keep the peer's memory: the last of
 * them frees it. A host, guest or finder that was moved from, or never had a peer, refuses every
 * call with errc::invalid; such a slot refuses it with errc::stale.
 *
 * Threads. Any thread may call any function at any time, with these exceptions. An object may be
 * ended or replaced (its destructor, an assignment, a move from it) only while no other thread uses
 * it. A slot (except for cancel), a peer's descriptor with arm and disarm, and a finder belong to
 * one thread at a time.
 *
 * Memory. call() allocates only for an answer, or a handler's message, of more than SHMIPC_INLINE
 * bytes. call_into(), slots and handlers never allocate. Creating, attaching, finding a host,
 * registering a handler and starting a server allocate.
 *
 * Time-outs are std::chrono durations of any unit. A negative one counts as 0, "do not wait", so
 * the time left until a deadline can be passed unchecked. `forever` waits without end; use
 * timeout::without_end() if a macro has that name.
 *
 * Shared objects. Two shared objects that each contain the static library may be in one process:
 * each calls its own copy. Do not pass objects of these types from one to the other.
 */
#ifndef SHMIPC_SHMIPC_HPP
#define SHMIPC_SHMIPC_HPP

#include "cxx/bytes.hpp"   /* byte_view, byte_span, bytes_of */
#include "cxx/calls.hpp"   /* call, call_into: of hosts, guests and slots */
#include "cxx/error.hpp"   /* errc, error, result, exception */
#include "cxx/finder.hpp"  /* finder */
#include "cxx/handler.hpp" /* request, response, dispatcher */
#include "cxx/message.hpp" /* message_type, message, answer */
#include "cxx/peer.hpp"    /* host, guest, and how they are configured */
#include "cxx/regions.hpp" /* dead_regions, pin_thread */
#include "cxx/server.hpp"  /* server */
#include "cxx/slot.hpp"    /* slot, wait_any */
#include "cxx/timeout.hpp" /* timeout, forever, default_timeout */

#endif
