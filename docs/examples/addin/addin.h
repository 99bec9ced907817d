/* What the add-in exports. Each function returns 0, or something else and then writes the reason,
   at most `size` bytes with its terminating zero, to `why`. */
#ifndef ADDIN_H
#define ADDIN_H

#include <cstddef>

#ifdef _WIN32
#define ADDIN_API extern "C" __declspec(dllexport)
#else
#define ADDIN_API extern "C" __attribute__((visibility("default")))
#endif

/* Creates the region; does not wait for a guest. */
ADDIN_API int addin_load(const char *region, char *why, std::size_t size);

/* Has the guest add amounts of a currency and convert the sum. Any number of threads may call it at
   the same time. */
ADDIN_API int addin_compute(const char *currency, const double *amounts, std::size_t count,
                            double *total, char *why, std::size_t size);

/* To be called after addin_compute has returned in all threads, and before the add-in is unloaded,
   whatever addin_load returned. Nothing of the add-in runs any more when it returns. */
ADDIN_API int addin_unload(char *why, std::size_t size);

#endif
