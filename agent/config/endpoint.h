#pragma once

#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "agent/base/text.h"

namespace metergate {

struct Endpoint {
  std::string host;  ///< name, IPv4, or IPv6 without brackets
  int port = 0;

  std::string text() const { return host_port(host, port); }  ///< as parse_endpoint() reads it
};

/// `HOST:PORT` or `[IPv6]:PORT`; without a port `default_port`, which is 0 where one has to be given. Errors: kInvalid.
Result<Endpoint> parse_endpoint(std::string_view text, int default_port, const std::string& example);

/// ADDR:PORT to listen at; `localhost` becomes 127.0.0.1. Errors: kInvalid (no numeric address, no port).
Result<Endpoint> parse_listen_address(std::string_view text);
bool is_loopback(const Endpoint& endpoint);  ///< 127.0.0.0/8 or ::1

struct Upstream {
  bool to_stdout = false;
  bool tls = false;
  Endpoint broker;
};

/// `mqtt://HOST[:1883]`, `mqtts://HOST[:8883]` or `stdout:`. Errors: kInvalid; never repeats a user or password in the
/// URL.
Result<Upstream> parse_upstream(std::string_view url);

}  // namespace metergate
