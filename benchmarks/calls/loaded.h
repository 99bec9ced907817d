/* Calls through a build of the library that is loaded, whatever build this program is linked
   with. */
#ifndef BENCHMARKS_LOADED_H
#define BENCHMARKS_LOADED_H

#include "support/subject.h"

struct loaded;

/* Programs' names, see pair.h: the host's library, and a guest. */
struct loaded *loaded_start(const char *library, const char *guest);
void loaded_stop(struct loaded *loaded);

/* As copying_start. What is loaded must outlive the subject. */
struct subject loaded_calls(struct loaded *loaded, const char *name, const char *guest,
                            size_t bytes);

#endif
