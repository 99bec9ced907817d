#ifndef SHMIPC_WIN32_PROCESS_H
#define SHMIPC_WIN32_PROCESS_H

#include "platform/win32/system.h"

#include <stdbool.h>
#include <stdint.h>

/* True if the process was created at this time and has not ended. The handle needs the rights to
   query that. */
bool shmi_process_runs(HANDLE process, uint64_t started);

/* The same by its id. A process that may not be opened counts as alive. */
bool shmi_process_id_runs(uint32_t pid, uint64_t started);

#endif
