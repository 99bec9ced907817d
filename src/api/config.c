#include "api/config.h"

#include "base/error.h"

#include <string.h>

enum {
    MEMBER_ALIGNMENT = 8, /* sizes are multiples of it, and no member crosses one: none is copied
                             in part */
    LARGEST_SIZE = 4096   /* upper bound for all versions: limits how much is read */
};

/* Index of the first non-zero byte at or after `first`; `size` if there is none. */
static size_t first_set(const unsigned char *bytes, size_t first, size_t size) {
    while (first < size && bytes[first] == 0)
        first++;
    return first;
}

int shmi_config_read(void *known, size_t known_size, const void *given) {
    size_t size;
    if (given == NULL)
        return SHMIPC_OK;
    memcpy(&size, given, sizeof size);
    if (size < sizeof size || size % MEMBER_ALIGNMENT != 0 || size > LARGEST_SIZE)
        return shmi_fail(SHMIPC_E_INVALID, "config.size is %zu, this library's is %zu", size,
                         known_size);
    size_t set = first_set(given, known_size, size);
    if (set < size)
        return shmi_fail(SHMIPC_E_INVALID,
                         "config.size is %zu, this library knows %zu bytes, and byte %zu is not 0",
                         size, known_size, set);
    memcpy(known, given, size < known_size ? size : known_size);
    return SHMIPC_OK;
}
