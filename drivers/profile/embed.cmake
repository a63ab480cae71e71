# Turns profiles into C++: cmake -DOUTPUT=FILE.cpp "-DFILES=A.ini;B.ini" -P embed.cmake
set(rows "")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME_WLE)
  file(READ "${file}" text)
  string(LENGTH "${text}" length)
  # A compiler need not take a longer string literal (ISO C++ [implimits]).
  if(length GREATER 65000 OR text MATCHES "\\)ini\"")
    message(FATAL_ERROR "${file}: too long for one string literal, or it contains )ini\"")
  endif()
  string(APPEND rows "      {\"${name}\", R\"ini(${text})ini\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "#include \"drivers/profile/builtin_profiles.h\"

namespace metergate {

std::vector<std::pair<std::string, std::string>> builtin_profiles() {
  return {
${rows}  };
}

}  // namespace metergate
")
