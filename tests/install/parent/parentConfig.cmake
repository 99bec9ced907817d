include(CMakeFindDependencyMacro)
find_dependency(libshmipc)
include("${CMAKE_CURRENT_LIST_DIR}/parentTargets.cmake")
