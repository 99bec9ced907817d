/*
 * Included before each source by msvc.sh. The headers that the library uses are read here as
 * mingw-w64's own compiler reads them; what follows them is read as Microsoft's compiler would.
 */
// NOLINTBEGIN: it is no part of the library
#include <windows.h>

#include <aclapi.h>
#include <bcrypt.h>
#include <malloc.h>
#include <sddl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef _ReadWriteBarrier /* an intrinsic again, no macro */
#undef __GNUC__
#define _MSC_VER 1930
// NOLINTEND
