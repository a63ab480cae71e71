# What is installed, and the Debian packages that CPack makes of it. Included last, when every target is known.

# A package is for one Debian release: that of the libraries it was built with. Paho C++ tells which, and is the reason: 1.2
# and 1.5 have one soname and two ABIs. The bounds are the versions of the release; the suffix sorts below the plain version,
# and Debian 12's below Debian 13's, so that an upgrade of the release takes the new package.
if(PahoMqttCpp_VERSION VERSION_LESS 1.3)
  set(METERGATE_RELEASE deb12u1)
  set(runtime "libc6 (>= 2.36), libgcc-s1 (>= 12), libstdc++6 (>= 12)")
  set(libraries "libmodbus5 (>= 3.1.6), libpaho-mqtt1.3 (>= 1.3.12), libpaho-mqttpp3-1 (>= 1.2.0), \
libpaho-mqttpp3-1 (<< 1.3), libsqlite3-0 (>= 3.40), libssl3 (>= 3.0)")
else()
  set(METERGATE_RELEASE deb13u1)
  set(runtime "libc6 (>= 2.41), libgcc-s1 (>= 14), libstdc++6 (>= 14)")
  set(libraries "libmodbus5 (>= 3.1.11), libpaho-mqtt1.3 (>= 1.3.14), libpaho-mqttpp3-1 (>= 1.5.2), \
libpaho-mqttpp3-1 (<< 1.6), libsqlite3-0 (>= 3.46), libssl3t64 (>= 3.5)")
endif()
set(METERGATE_PACKAGE_VERSION ${PROJECT_VERSION}~${METERGATE_RELEASE})

string(TIMESTAMP METERGATE_DATE %Y-%m-%d UTC)
string(TIMESTAMP METERGATE_RFC2822_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(METERGATE_MAINTAINER "Metergate maintainers <maintainers@metergate.example>" CACHE STRING "Who answers for the packages")

# Plain char is unsigned on ARM. Signed everywhere, so that the program does there what was tested on a desk.
target_compile_options(metergate_flags INTERFACE -fsigned-char)

# What is shipped is position independent and hardened, and has no trace of where it was built.
set(shipped $<CONFIG:Release,RelWithDebInfo>)
set(program $<AND:${shipped},$<NOT:$<STREQUAL:$<TARGET_PROPERTY:TYPE>,MODULE_LIBRARY>>>)
target_compile_options(metergate_flags INTERFACE $<${program}:-fPIE> $<${shipped}:-fstack-protector-strong>
  $<${shipped}:-ffunction-sections> $<${shipped}:-fdata-sections>
  $<${shipped}:-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.> $<${shipped}:-ffile-prefix-map=${CMAKE_BINARY_DIR}=build>)
if(CMAKE_SYSROOT)
  target_compile_options(metergate_flags INTERFACE $<${shipped}:-ffile-prefix-map=${CMAKE_SYSROOT}=sysroot>)
endif()
if(NOT METERGATE_SANITIZE AND NOT "${CMAKE_CXX_COMPILER_ARG1} ${CMAKE_CXX_FLAGS}" MATCHES "_FORTIFY_SOURCE")
  target_compile_definitions(metergate_flags INTERFACE $<${shipped}:_FORTIFY_SOURCE=2>)
endif()
target_link_options(metergate_flags INTERFACE $<${program}:-pie> $<${shipped}:-Wl,-z,relro,-z,now,--gc-sections,--as-needed>)

find_program(METERGATE_GZIP gzip REQUIRED)
function(install_compressed component source destination name)
  configure_file(${source} ${CMAKE_BINARY_DIR}/package/${name} @ONLY)
  execute_process(COMMAND ${METERGATE_GZIP} -9nkf ${CMAKE_BINARY_DIR}/package/${name} COMMAND_ERROR_IS_FATAL ANY)
  install(FILES ${CMAKE_BINARY_DIR}/package/${name}.gz DESTINATION ${destination} COMPONENT ${component})
endfunction()

function(install_common component package)
  set(METERGATE_PACKAGE ${package})
  install(FILES toolchains/debian/copyright DESTINATION share/doc/${package} COMPONENT ${component})
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/package/${package})
  install_compressed(${component} toolchains/debian/changelog.in share/doc/${package} ${package}/changelog)
endfunction()

install(TARGETS metergate DESTINATION bin COMPONENT gateway)
install(FILES systemd/metergate.service DESTINATION lib/systemd/system COMPONENT gateway)
install(FILES systemd/sysusers.conf DESTINATION lib/sysusers.d RENAME metergate.conf COMPONENT gateway)
install(FILES systemd/77-metergate-modemmanager.rules DESTINATION lib/udev/rules.d COMPONENT gateway)
install(FILES systemd/completion.bash DESTINATION share/bash-completion/completions RENAME metergate COMPONENT gateway)
install(FILES systemd/flags DESTINATION /etc/metergate COMPONENT gateway)
install(DIRECTORY DESTINATION /etc/metergate/credentials DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  COMPONENT gateway)
install(DIRECTORY systemd/examples DESTINATION share/doc/metergate COMPONENT gateway)
install(DIRECTORY systemd/broker systemd/monitoring DESTINATION share/doc/metergate/examples COMPONENT gateway
  PATTERN __pycache__ EXCLUDE PATTERN rabbitmq/cluster EXCLUDE PATTERN rabbitmq/gateway-user EXCLUDE PATTERN rabbitmq/verify EXCLUDE)
foreach(script cluster gateway-user verify)
  install(PROGRAMS systemd/broker/rabbitmq/${script} DESTINATION share/doc/metergate/examples/broker/rabbitmq COMPONENT gateway)
endforeach()
install_compressed(gateway systemd/man/metergate.1 share/man/man1 metergate.1)
install_compressed(gateway systemd/man/metergate-profile.5 share/man/man5 metergate-profile.5)
install(FILES drivers/profile/README.md DESTINATION share/doc/metergate RENAME profiles.md COMPONENT gateway)
install(FILES agent/protocol/README.md DESTINATION share/doc/metergate RENAME wire.md COMPONENT gateway)
install(FILES systemd/README.md DESTINATION share/doc/metergate RENAME operations.md COMPONENT gateway)
install_compressed(gateway CHANGELOG.md share/doc/metergate CHANGELOG.md)
install_common(gateway metergate)
install(FILES toolchains/debian/metergate.lintian DESTINATION share/lintian/overrides RENAME metergate COMPONENT gateway)

if(TARGET metersim)
  install(TARGETS metersim DESTINATION bin COMPONENT tools)
  install_compressed(tools systemd/man/metersim.1 share/man/man1 metersim.1)
  install_common(tools metergate-tools)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME metergate)
set(CPACK_PACKAGE_CONTACT ${METERGATE_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package brings its own as the first line of its description
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
  WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL gateway)
set(CPACK_DEBIAN_PACKAGE_VERSION ${METERGATE_PACKAGE_VERSION})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${METERGATE_ARCH}) # empty: that of this machine
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_BINARY_DIR}/package/epoch.cmake)
file(WRITE ${CPACK_PROJECT_CONFIG_FILE} "set(ENV{SOURCE_DATE_EPOCH} ${METERGATE_EPOCH})\n")

# The table above: dpkg-shlibdeps would need the libraries installed here, for the target's architecture.
set(CPACK_DEBIAN_GATEWAY_PACKAGE_NAME metergate)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_SECTION net)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_DEPENDS "${runtime}, ${libraries}, \
systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_GATEWAY_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_SUGGESTS metergate-tools)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/toolchains/debian/postinst
  ${CMAKE_SOURCE_DIR}/toolchains/debian/prerm ${CMAKE_SOURCE_DIR}/toolchains/debian/postrm
  ${CMAKE_SOURCE_DIR}/toolchains/debian/conffiles)
set(CPACK_DEBIAN_GATEWAY_DESCRIPTION "gateway from Modbus meters to an MQTT broker
Reads electricity meters and the like over RS-485 and Modbus TCP, keeps every
reading in a store on disk until the broker or its consumer has it, and
executes each command of the backend once, across loss of link, restarts and
loss of power.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME metergate-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION net)
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS ${runtime})
set(CPACK_DEBIAN_TOOLS_DESCRIPTION "simulator of Modbus meters for testing gateways
Answers as one or many meters on a serial line, a pseudo terminal or TCP, at
the pace of a real line and with the faults of one.")
if(TARGET metersim)
  list(APPEND CPACK_COMPONENTS_ALL tools)
endif()
include(CPack)
