# The manual's pages, made from the public header. This file is part of install.cmake.
#
# awk is all that they need: every system that reads manuals has one. SOURCE_DATE_EPOCH sets their date.
find_program(SHMIPC_AWK awk)
mark_as_advanced(SHMIPC_AWK)
set(man_default OFF)
if(SHMIPC_AWK AND NOT WIN32)
  set(man_default ON)
endif()
option(SHMIPC_MAN "Make and install the manual's pages, by awk" ${man_default})
if(NOT SHMIPC_MAN)
  return()
endif()

set(man_dir "${PROJECT_BINARY_DIR}/man")
file(MAKE_DIRECTORY "${man_dir}/man3" "${man_dir}/man7")
string(TIMESTAMP man_date "%Y-%m-%d" UTC)
add_custom_command(
  OUTPUT "${man_dir}/man7/shmipc.7"
  COMMAND "${CMAKE_COMMAND}" -E rm -rf "${man_dir}"
  COMMAND "${CMAKE_COMMAND}" -E make_directory "${man_dir}/man3" "${man_dir}/man7"
  COMMAND "${SHMIPC_AWK}" -v "man=${man_dir}" -v "version=${PROJECT_VERSION}" -v "date=${man_date}" -f
          "${PROJECT_SOURCE_DIR}/src/packaging/man.awk" "${PROJECT_SOURCE_DIR}/include/shmipc/shmipc.h"
  DEPENDS include/shmipc/shmipc.h src/packaging/man.awk
  COMMENT "Writing the manual's pages"
  VERBATIM)
add_custom_target(shmipc_man ALL DEPENDS "${man_dir}/man7/shmipc.7")
install(
  DIRECTORY "${man_dir}/man3" "${man_dir}/man7"
  DESTINATION "${CMAKE_INSTALL_MANDIR}"
  COMPONENT Development)
