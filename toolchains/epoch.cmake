# One date for all that carries one, the program included, so that two builds of one commit are the same byte by byte.
# Included before any target.
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  set(METERGATE_EPOCH $ENV{SOURCE_DATE_EPOCH})
else()
  execute_process(COMMAND git -c safe.directory=* -C ${CMAKE_SOURCE_DIR} log -1 --format=%ct
    OUTPUT_VARIABLE METERGATE_EPOCH OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT METERGATE_EPOCH)
    string(TIMESTAMP METERGATE_EPOCH %s UTC)
    message(STATUS "Packages will not be reproducible: neither git nor SOURCE_DATE_EPOCH tells the date of this source")
  endif()
  set(ENV{SOURCE_DATE_EPOCH} ${METERGATE_EPOCH})
endif()
