/* How often the library that is in this add-in was called. */
#ifndef COUNTED_HPP
#define COUNTED_HPP

#ifdef _WIN32
#define HIDDEN
#else
#define HIDDEN __attribute__((visibility("hidden")))
#endif

HIDDEN unsigned uses();

#endif
