/*
 * Reads tests/conformance: rows of words, and what they stand for.
 */
#ifndef SHMIPC_TESTS_GOLDEN_H
#define SHMIPC_TESTS_GOLDEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { COLUMNS = 9 };

struct row {
    char line[512];
    int number;
    int columns;
    char *column[COLUMNS];
};

/* A file of the directory CONFORMANCE_DIRECTORY. */
FILE *open_golden(const char *file);

/* The next line that says something; false at the end. Begin with a row of number 0. */
bool next_row(FILE *stream, struct row *row);

/* The whole text as a number. */
uint64_t number(const char *text, int base);

/* A word of transitions.txt; '-' is 0. */
uint64_t hexadecimal(const char *text);

/* The header of a row of attach.txt. */
void read_header(const char *text, uint8_t header[static 64]);

#endif
