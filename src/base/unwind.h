/*
 * Cleanup of a function that is unwound instead of returning, because a handler, or the user's
 * allocate, has thrown a C++ exception or ended its thread. The compiler describes the cleanup in
 * tables beside the code, so it costs nothing if nothing is unwound.
 */
#ifndef SHMIPC_UNWIND_H
#define SHMIPC_UNWIND_H

/* Put after a variable: calls undo(&variable) when its scope is left, in any way. A function that
   returns normally has made that call harmless before. Microsoft's compiler has no such attribute:
   there nothing is undone. */
#if defined(__GNUC__) || defined(__clang__)
#define UNDONE_BY(undo) __attribute__((cleanup(undo)))
#else
#define UNDONE_BY(undo)
#endif

#endif
