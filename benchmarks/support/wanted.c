#include "wanted.h"

#include <string.h>

static const char *wanted_guest;
static const char *wanted_text;
static unsigned wanted_threads;

void want_guest(const char *guest) {
    wanted_guest = guest;
}

void want_variants_with(const char *text) {
    wanted_text = text;
}

void want_threads(unsigned threads) {
    wanted_threads = threads;
}

bool is_label_wanted(const struct label *label) {
    return (!wanted_guest || strcmp(label->guest, wanted_guest) == 0) &&
           (!wanted_text || strstr(label->variant, wanted_text)) &&
           (!wanted_threads || label->threads == wanted_threads);
}

size_t keep_wanted(struct subject *subjects, size_t count) {
    size_t kept = 1;
    for (size_t i = 1; i < count; i++) {
        if (is_label_wanted(&subjects[i].label))
            subjects[kept++] = subjects[i];
        else
            subjects[i].stop(subjects[i].self);
    }
    if (kept > 1)
        return kept;
    subjects[0].stop(subjects[0].self);
    return 0;
}
