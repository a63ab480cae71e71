#include <dlfcn.h>
#include <unistd.h>

#include <array>

#include "agent/admin/http_server.h"

namespace metergate {

namespace {

const char* const kLibrary = "metergate-http.so";

std::string folder_of_program() {
  std::array<char, 4096> path;
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  const std::string program(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return program.substr(0, program.rfind('/') + 1);
}

}  // namespace

Result<MakeHttpServer> load_http_server() {
  const std::string folder = folder_of_program();
  const std::string installed = folder + "../lib/metergate/" + kLibrary;
  const std::string built = folder + kLibrary;
  const std::string& path = ::access(built.c_str(), F_OK) == 0 ? built : installed;
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* maker = library != nullptr ? ::dlsym(library, "metergate_make_http_server") : nullptr;
  if (maker != nullptr) return reinterpret_cast<MakeHttpServer>(maker);
  const char* why = ::dlerror();
  return Error{Errc::kInvalid, std::string("--http needs a library that cannot be used: ") +
                                   (why != nullptr ? why : path.c_str()) + "; install the whole package again"};
}

}  // namespace metergate
