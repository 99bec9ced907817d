/*
 * What a function undoes if it is unwound instead of returning: a handler, or an allocation, has
 * thrown a C++ exception or has ended its thread. The compiler writes that into tables beside the
 * code; where nothing is unwound it costs nothing.
 */
#ifndef SHMIPC_UNWIND_H
#define SHMIPC_UNWIND_H

/* Behind a variable: when its scope is left, in whatever way, undo(&variable) is called. A function
   that returns has made that harmless before. Microsoft's compiler has no such attribute: there
   nothing is undone. */
#if defined(__GNUC__) || defined(__clang__)
#define UNDONE_BY(undo) __attribute__((cleanup(undo)))
#else
#define UNDONE_BY(undo)
#endif

#endif
