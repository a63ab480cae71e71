file(WRITE ${CMAKE_BINARY_DIR}/generated/builtin_profiles.cpp "")
