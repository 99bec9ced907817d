#define _GNU_SOURCE
#include "pipe.h"

#include "stream.h"
#include "support/child.h"

#include <fcntl.h>
#include <unistd.h>

struct subject pipe_start(size_t bytes) {
    int there[2];
    int back[2];
    if (pipe2(there, O_CLOEXEC) != 0 || pipe2(back, O_CLOEXEC) != 0)
        die("pipe");
    return stream_start("pipe", NULL, bytes, (int[]){back[0], there[1]},
                        (int[]){there[0], back[1]});
}
