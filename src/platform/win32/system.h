/* Windows' own header, reduced to the parts in use. */
#ifndef SHMIPC_WIN32_SYSTEM_H
#define SHMIPC_WIN32_SYSTEM_H

#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0602 /* Windows 8 */
#endif
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

#endif
