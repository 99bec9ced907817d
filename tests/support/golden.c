#define _GNU_SOURCE
#include "support/golden.h"

#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

FILE *open_golden(const char *file) {
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", CONFORMANCE_DIRECTORY, file);
    FILE *stream = fopen(path, "r");
    must(stream != NULL);
    return stream;
}

static void split(struct row *row) {
    char *rest = NULL;
    row->line[strcspn(row->line, "#\n")] = 0;
    row->columns = 0;
    for (char *text = strtok_r(row->line, " ", &rest); text != NULL;
         text = strtok_r(NULL, " ", &rest)) {
        must(row->columns < COLUMNS);
        row->column[row->columns++] = text;
    }
}

bool next_row(FILE *stream, struct row *row) {
    while (fgets(row->line, sizeof row->line, stream) != NULL) {
        row->number++;
        split(row);
        if (row->columns > 0)
            return true;
    }
    return false;
}

uint64_t number(const char *text, int base) {
    char *end;
    uint64_t value = strtoull(text, &end, base);
    must(*text != 0 && *end == 0);
    return value;
}

uint64_t hexadecimal(const char *text) {
    return strcmp(text, "-") == 0 ? 0 : number(text, 16);
}

void read_header(const char *text, uint8_t header[static 64]) {
    must_equal(strlen(text), 128);
    for (size_t i = 0; i < 64; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], 0};
        header[i] = (uint8_t)number(digits, 16);
    }
}
