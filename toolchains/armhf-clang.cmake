# armhf.cmake with clang and lld in place of the GNU cross compiler.
set(METERGATE_CLANG ON)
include(${CMAKE_CURRENT_LIST_DIR}/armhf.cmake)
