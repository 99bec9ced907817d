/* Features of the compiler and its library, and how the names of this header are kept apart. */
#ifndef SHMIPC_CXX_PLATFORM_HPP
#define SHMIPC_CXX_PLATFORM_HPP

#include "../shmipc.h"

#include <cstddef>

/* 1 if this translation unit has exceptions. */
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define SHMIPC_EXCEPTIONS 1
#else
#define SHMIPC_EXCEPTIONS 0
#endif

/* 1 if the standard library has threads: mingw-w64's with the thread model "win32" lacks them
   before GCC 13. Without threads there is no server. */
#if defined(__GLIBCXX__) && !defined(_GLIBCXX_HAS_GTHREADS)
#define SHMIPC_THREADS 0
#else
#define SHMIPC_THREADS 1
#endif

/* Marks functions that call the C library. Each shared object keeps its own copy of them: otherwise
   the loader could make one shared object call the C library in another. This does not keep apart
   code that is compiled into another library's template, as a destructor into a vector's: such code
   calls the C library through a pointer, or a virtual function of a marked class, in the object
   itself. */
#if defined(__GNUC__) && !defined(_WIN32)
#if SHMIPC_EXCEPTIONS
#define SHMIPC_LOCAL __attribute__((visibility("hidden")))
#else /* different functions from those that throw and catch */
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
