/*
 * Text for people: escapes foreign text, so that it stays in one line and cannot forge another.
 */
#ifndef SHMIPC_TEXT_H
#define SHMIPC_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* The length of the well-formed UTF-8 sequence at `bytes`, of which `left` remain, and its code
   point; 0 if it is cut short, overlong, a surrogate, or beyond Unicode. */
size_t shmi_text_sequence(const uint8_t *bytes, size_t left, uint32_t *code);

/*
 * Copies `length` bytes as text in one line, with a terminator, and truncates it to `capacity`.
 * Line feed, return and tab become \n, \r and \t. Every byte of another control character (C0, DEL,
 * C1), of a line or paragraph separator, of a character that changes the direction of writing, and
 * every byte that is no UTF-8, becomes \xNN. A backslash stays as it is: people read the result,
 * and no program decodes it.
 */
void shmi_text_escape(char *to, size_t capacity, const char *from, size_t length);

#endif
