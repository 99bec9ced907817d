# FlatBuffers for our own programs: its headers in a directory that holds nothing else, so that they
# serve a cross compiler too, and its compiler.
#
#   shmipc_flatbuffers               a target to link with: the headers
#   shmipc_schema(<target> <file>)   compiles the schema; the target may include <name>_generated.h
include_guard(GLOBAL)

find_program(SHMIPC_FLATC flatc REQUIRED)
find_path(
  SHMIPC_FLATBUFFERS_HEADERS flatbuffers/flatbuffers.h
  PATHS /usr/local/include /usr/include
  NO_CMAKE_FIND_ROOT_PATH REQUIRED)
set(SHMIPC_FLATBUFFERS_INCLUDE "${PROJECT_BINARY_DIR}/flatbuffers/include" CACHE INTERNAL "")
file(MAKE_DIRECTORY "${SHMIPC_FLATBUFFERS_INCLUDE}")
file(CREATE_LINK "${SHMIPC_FLATBUFFERS_HEADERS}/flatbuffers"
     "${SHMIPC_FLATBUFFERS_INCLUDE}/flatbuffers" COPY_ON_ERROR SYMBOLIC)
add_library(shmipc_flatbuffers INTERFACE)
target_include_directories(shmipc_flatbuffers SYSTEM INTERFACE "${SHMIPC_FLATBUFFERS_INCLUDE}")

function(shmipc_schema target file)
  get_filename_component(file "${file}" ABSOLUTE)
  get_filename_component(name "${file}" NAME_WE)
  set(directory "${PROJECT_BINARY_DIR}/flatbuffers/generated")
  if(NOT TARGET schema_${name})
    add_custom_command(
      OUTPUT "${directory}/${name}_generated.h"
      COMMAND "${SHMIPC_FLATC}" --cpp -o "${directory}" "${file}"
      DEPENDS "${file}"
      COMMENT "Compiling the schema ${name}.fbs"
      VERBATIM)
    add_custom_target(schema_${name} DEPENDS "${directory}/${name}_generated.h")
  endif()
  add_dependencies(${target} schema_${name})
  target_include_directories(${target} SYSTEM PRIVATE "${directory}")
  target_link_libraries(${target} PRIVATE shmipc_flatbuffers)
endfunction()
