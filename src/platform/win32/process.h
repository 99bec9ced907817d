#ifndef SHMIPC_WIN32_PROCESS_H
#define SHMIPC_WIN32_PROCESS_H

#include "platform/win32/system.h"

#include <stdbool.h>
#include <stdint.h>

/* True if the process was created at this time and has not ended; the handle must allow to ask. */
bool shmi_process_runs(HANDLE process, uint64_t started);

/* The same by its id. A process that may not be opened is taken for alive. */
bool shmi_process_id_runs(uint32_t pid, uint64_t started);

#endif
