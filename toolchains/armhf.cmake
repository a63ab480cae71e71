# Debian on 32-bit ARM (ARMv7-A, VFPv3-D16) with Debian's GNU cross compiler. In Debian 12 time_t ends in January 2038.
set(METERGATE_ARCH armhf)
set(METERGATE_TRIPLE arm-linux-gnueabihf)
set(METERGATE_QEMU qemu-arm)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
# No note at each std::vector that g++ 7 changed its calling convention.
set(CMAKE_CXX_FLAGS_INIT "-Wno-psabi")
include(${CMAKE_CURRENT_LIST_DIR}/sysroot.cmake)

# time_t has to be that of the libraries. Debian 13's g++ makes it 64 bits wide by itself; clang does not, and what it links
# starts all the same.
if(EXISTS ${METERGATE_SYSROOT}/MANIFEST)
  file(STRINGS ${METERGATE_SYSROOT}/MANIFEST METERGATE_SUITES REGEX "^# suites: ")
  if(METERGATE_SUITES MATCHES "bookworm")
    add_compile_definitions(METERGATE_TIME_T=4)
  else()
    add_compile_definitions(METERGATE_TIME_T=8)
    if(METERGATE_CLANG)
      add_compile_definitions(_TIME_BITS=64)
    endif()
  endif()
endif()
