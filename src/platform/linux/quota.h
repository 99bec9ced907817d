#ifndef SHMIPC_QUOTA_H
#define SHMIPC_QUOTA_H

#include <stdint.h>

/* How many whole processors' worth of time the control groups of this process leave it: at least 1;
   UINT32_MAX if they set no limit or cannot be read. `root` is prefixed to every path: "" except in
   tests. */
uint32_t shmi_quota_read(const char *root);

#endif
