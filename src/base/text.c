#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

size_t shmi_text_sequence(const uint8_t *bytes, size_t left, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* least code point, by length */
    uint8_t first = left > 0 ? bytes[0] : 0xff;
    size_t length = first < 0x80   ? 1
                    : first < 0xc0 ? 0
                    : first < 0xe0 ? 2
                    : first < 0xf0 ? 3
                    : first < 0xf8 ? 4
                                   : 0;
    if (length == 0 || length > left)
        return 0;
    *code = length == 1 ? first : first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (bytes[i] & 0x3fu);
    }
    bool surrogate = *code >= 0xd800 && *code <= 0xdfff;
    return *code < least[length] || *code > 0x10ffff || surrogate ? 0 : length;
}

/* Control characters, line separators, and characters that change the direction of writing. */
static bool is_disruptive(uint32_t code) {
    static const uint32_t ranges[][2] = {{0, 0x1f},        {0x7f, 0x9f},     {0x61c, 0x61c},
                                         {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    }
    return false;
}

static size_t escape_byte(char piece[static 5], uint8_t byte) {
    static const char named[] = "\nn\rr\tt";
    const char *name = byte != 0 ? memchr(named, byte, sizeof named - 1) : NULL;
    if (name != NULL && byte < ' ')
        return (size_t)snprintf(piece, 5, "\\%c", name[1]);
    return (size_t)snprintf(piece, 5, "\\x%02x", byte);
}

/* Stores the next character of `from`, escaped if necessary; *taken: how many bytes it has in
   `from`. */
static size_t show(char piece[static 17], const uint8_t *from, size_t left, size_t *taken) {
    uint32_t code = 0;
    size_t length = shmi_text_sequence(from, left, &code);
    size_t shown = 0;
    *taken = length > 0 ? length : 1;
    if (length > 0 && !is_disruptive(code)) {
        memcpy(piece, from, length);
        return length;
    }
    for (size_t i = 0; i < *taken; i++)
        shown += escape_byte(piece + shown, from[i]);
    return shown;
}

void shmi_text_escape(char *to, size_t capacity, const char *from, size_t length) {
    const uint8_t *bytes = (const uint8_t *)from;
    size_t filled = 0;
    for (size_t i = 0, taken; i < length; i += taken) {
        char piece[17];
        size_t shown = show(piece, bytes + i, length - i, &taken);
        if (filled + shown >= capacity)
            break;
        memcpy(to + filled, piece, shown);
        filled += shown;
    }
    to[filled] = 0;
}
