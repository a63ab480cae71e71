# Debian 12 on 32-bit ARM (ARMv7-A, VFPv3-D16) with Debian's GNU cross compiler. Its time_t ends in January 2038.
set(METERGATE_ARCH armhf)
set(METERGATE_TRIPLE arm-linux-gnueabihf)
set(METERGATE_QEMU qemu-arm)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
# No note at each std::vector that g++ 7 changed its calling convention.
set(CMAKE_CXX_FLAGS_INIT "-Wno-psabi")
include(${CMAKE_CURRENT_LIST_DIR}/sysroot.cmake)
