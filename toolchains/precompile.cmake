# The headers that most sources include are compiled once, not once for each source. METERGATE_PRECOMPILE says for what:
#   tests   the tests
#   all     the program's libraries, too. Their sources then need not include all that they use, so one build goes
#           without
set(METERGATE_PRECOMPILE "" CACHE STRING "Precompile headers for: tests, all, or nothing")
set(metergate_headers <algorithm> <array> <chrono> <cstdint> <cstring> <deque> <functional> <limits> <map>
  <memory> <mutex> <optional> <set> <string> <string_view> <utility> <variant> <vector>)

# Makes the library NAME, whose headers are for targets with the same options.
function(precompile name type)
  file(WRITE ${CMAKE_BINARY_DIR}/generated/${name}.cpp "")
  add_library(${name} ${type} ${CMAKE_BINARY_DIR}/generated/${name}.cpp)
  target_link_libraries(${name} PRIVATE metergate_flags)
  target_precompile_headers(${name} PRIVATE ${metergate_headers} ${ARGN})
endfunction()

# Lets the libraries of these folders use what NAME has.
function(use_precompiled name)
  foreach(folder IN LISTS ARGN)
    get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
    foreach(target IN LISTS targets)
      get_target_property(type ${target} TYPE)
      if(type STREQUAL STATIC_LIBRARY)
        target_precompile_headers(${target} REUSE_FROM ${name})
      endif()
    endforeach()
  endforeach()
endfunction()
