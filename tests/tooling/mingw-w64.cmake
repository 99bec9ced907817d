# A toolchain file: builds for Windows x64 with mingw-w64, and runs what was built under Wine.
#
# Some systems have mingw-w64's compilers twice, for two kinds of threads; only those named posix
# have std::thread. Elsewhere there is one kind, which has it.
find_program(SHMIPC_MINGW_GCC NAMES x86_64-w64-mingw32-gcc-posix x86_64-w64-mingw32-gcc)
find_program(SHMIPC_MINGW_GXX NAMES x86_64-w64-mingw32-g++-posix x86_64-w64-mingw32-g++)
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER "${SHMIPC_MINGW_GCC}")
set(CMAKE_CXX_COMPILER "${SHMIPC_MINGW_GXX}")
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
# The compiler's own run-time libraries go into each program and add-in: they run without them beside
# them. The DLL has to see to that itself.
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_MODULE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/emulate.sh")
