# A toolchain file: builds for this machine with musl instead of its own C library.
set(CMAKE_C_COMPILER musl-gcc)
set(SHMIPC_C_ALONE ON)
