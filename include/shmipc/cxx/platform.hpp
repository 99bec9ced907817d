/* What the compiler and its library have, and how the names of this header are kept apart. */
#ifndef SHMIPC_CXX_PLATFORM_HPP
#define SHMIPC_CXX_PLATFORM_HPP

#include "../shmipc.h"

#include <cstddef>

/* Whether this translation unit has exceptions. */
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define SHMIPC_EXCEPTIONS 1
#else
#define SHMIPC_EXCEPTIONS 0
#endif

/* Whether the standard library has threads: that of mingw-w64 with the thread model "win32" lacks
   them before GCC 13. Without them there is no server. */
#if defined(__GLIBCXX__) && !defined(_GLIBCXX_HAS_GTHREADS)
#define SHMIPC_THREADS 0
#else
#define SHMIPC_THREADS 1
#endif

/* Marks what calls the C library. Each shared object keeps its own copy of it: else the loader
   could make one of them call the C library in another one. What is compiled into somebody else's
   template, as a destructor into a vector's, is not kept apart by this: it calls the C library
   through a pointer, or a virtual function of a marked class, in the object itself. */
#if defined(__GNUC__) && !defined(_WIN32)
#if SHMIPC_EXCEPTIONS
#define SHMIPC_LOCAL __attribute__((visibility("hidden")))
#else /* these are other functions than those that throw and catch */
#define SHMIPC_LOCAL __attribute__((visibility("hidden"), abi_tag("noexcept")))
#endif
#else
#define SHMIPC_LOCAL
#endif

/* Types of different versions of this header have different names. */
#define SHMIPC_NAMESPACE v0_1
static_assert(SHMIPC_VERSION_MAJOR == 0 && SHMIPC_VERSION_MINOR == 1,
              "SHMIPC_NAMESPACE is that of this version");

#endif
