/*
 * Included before each unit in C++ by msvc.sh. The standard library, which here is mingw-w64's, and
 * FlatBuffers are read as its own compiler reads them; what follows is read as Microsoft's compiler
 * would, without its option /Zc:__cplusplus.
 */
// NOLINTBEGIN: it is no part of the library
#define __STRICT_ANSI__ 1
#include <_mingw.h>
#undef __MINGW_IMPORT
#define __MINGW_IMPORT extern

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>
#if __cplusplus >= 202002L
#include <ranges>
#include <span>
#endif

#include <flatbuffers/flatbuffers.h>

#define _CPPUNWIND 1
#undef __GNUC__
#define _MSC_VER 1930
#undef __cplusplus
#define __cplusplus 199711L
// NOLINTEND
