# What the toolchain files share. Before they include it, they set METERGATE_TRIPLE, METERGATE_ARCH,
# CMAKE_SYSTEM_PROCESSOR and METERGATE_QEMU. METERGATE_SUITE names another Debian release than this machine's;
# METERGATE_SYSROOT (cache or environment) another sysroot than the one that toolchains/sysroot makes for it.
set(CMAKE_SYSTEM_NAME Linux)

if(NOT METERGATE_SYSROOT)
  if(DEFINED ENV{METERGATE_SYSROOT})
    set(METERGATE_SYSROOT $ENV{METERGATE_SYSROOT})
  else()
    if(NOT METERGATE_SUITE)
      file(STRINGS /etc/os-release METERGATE_SUITE REGEX "^VERSION_CODENAME=")
      string(REPLACE "VERSION_CODENAME=" "" METERGATE_SUITE "${METERGATE_SUITE}")
    endif()
    cmake_path(SET METERGATE_SYSROOT NORMALIZE
      ${CMAKE_CURRENT_LIST_DIR}/../build/sysroot-${METERGATE_SUITE}-${METERGATE_ARCH})
  endif()
endif()
if(NOT IS_DIRECTORY ${METERGATE_SYSROOT}/usr/include)
  message(FATAL_ERROR "${METERGATE_SYSROOT} is no sysroot; make it with: toolchains/sysroot ${METERGATE_ARCH} --suite SUITE")
endif()
set(METERGATE_SYSROOT ${METERGATE_SYSROOT} CACHE PATH "Root of the target's headers and libraries")

set(CMAKE_SYSROOT ${METERGATE_SYSROOT})
set(CMAKE_LIBRARY_ARCHITECTURE ${METERGATE_TRIPLE})
if(METERGATE_CLANG)
  # Takes libc, libstdc++ and the compiler's runtime from the sysroot: one host compiler serves every target.
  set(CMAKE_C_COMPILER clang)
  set(CMAKE_CXX_COMPILER clang++)
  set(CMAKE_C_COMPILER_TARGET ${METERGATE_TRIPLE})
  set(CMAKE_CXX_COMPILER_TARGET ${METERGATE_TRIPLE})
  foreach(kind EXE SHARED MODULE)
    set(CMAKE_${kind}_LINKER_FLAGS_INIT -fuse-ld=lld)
  endforeach()
  find_program(CMAKE_STRIP NAMES llvm-strip llvm-strip-14 ${METERGATE_TRIPLE}-strip)
else()
  set(CMAKE_C_COMPILER ${METERGATE_TRIPLE}-gcc)
  set(CMAKE_CXX_COMPILER ${METERGATE_TRIPLE}-g++)
endif()

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_PATH} "")
set(ENV{PKG_CONFIG_LIBDIR}
  ${METERGATE_SYSROOT}/usr/lib/${METERGATE_TRIPLE}/pkgconfig:${METERGATE_SYSROOT}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${METERGATE_SYSROOT})
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES METERGATE_SYSROOT METERGATE_SUITE METERGATE_CLANG)

# With it the tests run as usual: ctest puts the emulator before every program of the target.
find_program(METERGATE_EMULATOR NAMES ${METERGATE_QEMU} ${METERGATE_QEMU}-static)
if(METERGATE_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${METERGATE_EMULATOR} -L ${METERGATE_SYSROOT})
endif()
