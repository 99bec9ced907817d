# What is installed, and how CMake and pkg-config find it. This file is part of the CMakeLists.txt
# above it.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/libshmipc")

# In somebody else's project CMAKE_INSTALL_DOCDIR may be that project's own.
set(doc_dir "${CMAKE_INSTALL_DATAROOTDIR}/doc/libshmipc")
if(PROJECT_IS_TOP_LEVEL)
  set(doc_dir "${CMAKE_INSTALL_DOCDIR}")
endif()

set(compatibility SameMajorVersion)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
endif()
configure_package_config_file(src/packaging/libshmipcConfig.cmake.in libshmipcConfig.cmake
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(libshmipcConfigVersion.cmake COMPATIBILITY ${compatibility})

# Without a shared library every program links with what the static one needs.
list(JOIN system_flags " " private_flags)
set(SHMIPC_PC_LIBS "-lshmipc")
set(SHMIPC_PC_LIBS_PRIVATE "${private_flags}")
if(NOT shmipc IN_LIST libraries)
  set(SHMIPC_PC_LIBS "-lshmipc ${private_flags}")
  set(SHMIPC_PC_LIBS_PRIVATE "")
endif()
set(pc_dir "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH SHMIPC_PC_PREFIX "${pc_dir}" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH SHMIPC_PC_LIBDIR "${pc_dir}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH SHMIPC_PC_INCLUDEDIR "${pc_dir}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
configure_file(src/packaging/libshmipc.pc.in libshmipc.pc @ONLY)

install(
  TARGETS ${libraries}
  EXPORT libshmipcTargets
  RUNTIME COMPONENT Runtime
  LIBRARY COMPONENT Runtime NAMELINK_COMPONENT Development
  ARCHIVE COMPONENT Development)
install(
  EXPORT libshmipcTargets
  NAMESPACE libshmipc::
  DESTINATION "${package_dir}"
  COMPONENT Development)
install(
  FILES "${PROJECT_BINARY_DIR}/libshmipcConfig.cmake"
        "${PROJECT_BINARY_DIR}/libshmipcConfigVersion.cmake"
  DESTINATION "${package_dir}"
  COMPONENT Development)
install(
  FILES "${PROJECT_BINARY_DIR}/libshmipc.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
  COMPONENT Development)
install(
  DIRECTORY include/shmipc
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  COMPONENT Development
  FILES_MATCHING
  PATTERN "*.h"
  PATTERN "*.hpp")
install(
  FILES LICENSE README.md
  DESTINATION "${doc_dir}"
  COMPONENT Documentation)
install(
  DIRECTORY docs
  DESTINATION "${doc_dir}"
  COMPONENT Documentation)
include(src/packaging/man.cmake)
