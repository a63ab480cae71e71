# Debian on 64-bit ARM (ARMv8-A) with Debian's GNU cross compiler.
set(METERGATE_ARCH arm64)
set(METERGATE_TRIPLE aarch64-linux-gnu)
set(METERGATE_QEMU qemu-aarch64)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/sysroot.cmake)
