#include "platform/platform.h"
#include "platform/win32/system.h"

#include <bcrypt.h>

/* Converted in two parts, as the product of the whole count would overflow. */
uint64_t shmi_clock_now(void) {
    const uint64_t second = 1000000000u;
    LARGE_INTEGER count;
    LARGE_INTEGER frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    uint64_t per_second = (uint64_t)frequency.QuadPart;
    uint64_t seconds = (uint64_t)count.QuadPart / per_second;
    uint64_t rest = (uint64_t)count.QuadPart % per_second;
    return seconds * second + rest * second / per_second;
}

/* Never 0, which in a directory means that there is no region. */
uint64_t shmi_random_nonce(void) {
    uint64_t nonce = 0;
    if (BCryptGenRandom(NULL, (PUCHAR)&nonce, sizeof nonce, BCRYPT_USE_SYSTEM_PREFERRED_RNG) != 0)
        nonce = shmi_clock_now() ^ (uint64_t)shmi_process_id() << 40;
    return nonce != 0 ? nonce : 1;
}
