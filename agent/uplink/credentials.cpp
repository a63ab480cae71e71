#include "agent/uplink/credentials.h"

#include <utility>

#include "agent/base/text.h"
#include "agent/uplink/tls_stream.h"

namespace metergate {

namespace {
constexpr std::size_t kLongestText = 65'535;  // MQTT 3.1.1, 1.5.3
}

Result<std::string> read_credentials(const UplinkOptions& options) {
  std::string password;
  if (!options.password_file.empty()) {
    auto text = read_secret("--password-file", options.password_file);
    if (!text) return text.error();
    password = std::move(*text);
  }
  for (const auto& [flag, text] : {std::pair{"--username", &options.username}, {"--password-file", &password}}) {
    if (text->size() <= kLongestText) continue;
    return Error{Errc::kInvalid, std::string(flag) + ": " + std::to_string(text->size()) +
                                     " bytes; MQTT carries at most " + std::to_string(kLongestText)};
  }
  if (options.tls) {
    const Status usable = check_tls_files(options);
    if (!usable) return usable.error();
  }
  return password;
}

}  // namespace metergate
