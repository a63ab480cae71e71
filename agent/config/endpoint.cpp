#include "agent/config/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>

namespace metergate {

namespace {

constexpr int kMqttPort = 1883;
constexpr int kMqttsPort = 8883;
constexpr std::size_t kLongestHost = 253;

Error invalid(std::string detail) { return Error{Errc::kInvalid, std::move(detail)}; }

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), &address) == 1;
}

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= kLongestHost && host[0] != '-' &&
         std::all_of(host.begin(), host.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  c == '_';
         });
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text, int default_port, const std::string& example) {
  Endpoint endpoint;
  std::string_view port;
  const bool bracket = !text.empty() && text[0] == '[';
  const std::size_t end = bracket ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos) return invalid(in_quotes(text) + " has a '[' without its ']'; such as " + example);
  endpoint.host = text.substr(bracket ? 1 : 0, end - (bracket ? 1 : 0));
  port = text.substr(end + (bracket ? 1 : 0));

  if (!bracket && is_ipv6(std::string(text))) {
    return invalid(in_quotes(text) + " is an IPv6 address; it stands in brackets, such as [2001:db8::7]:502");
  }
  if (bracket ? !is_ipv6(endpoint.host) : !is_host(endpoint.host)) {
    return invalid(in_quotes(endpoint.host) + " is not a host: a name, an IPv4 address or [an IPv6 address]; such as " +
                   example);
  }
  if (port.empty() && default_port == 0) return invalid(in_quotes(text) + " has no port; such as " + example);
  endpoint.port = default_port;
  if (port.empty()) return endpoint;
  const auto number = parse_integer(port.substr(1), 1, 65535);
  if (port[0] != ':' || !number) {
    return invalid(in_quotes(port) + " is not ':' and a port from 1 to 65535; such as " + example);
  }
  endpoint.port = static_cast<int>(*number);
  return endpoint;
}

Result<Endpoint> parse_listen_address(std::string_view text) {
  const std::string example = "127.0.0.1:9464";
  auto endpoint = parse_endpoint(text, 0, example);
  if (!endpoint) return endpoint;
  if (endpoint->host == "localhost") endpoint->host = "127.0.0.1";
  const bool zone = endpoint->host.find('%') != std::string::npos;
  if (is_ipv4(endpoint->host) || (is_ipv6(endpoint->host) && !zone)) return endpoint;
  return invalid(in_quotes(endpoint->host) + " is not an address of this machine, such as 127.0.0.1, [::1] or 0.0.0.0");
}

bool is_loopback(const Endpoint& endpoint) {
  return endpoint.host == "::1" || (is_ipv4(endpoint.host) && endpoint.host.compare(0, 4, "127.") == 0);
}

Result<Upstream> parse_upstream(std::string_view url) {
  Upstream upstream;
  if (url == "stdout:") {
    upstream.to_stdout = true;
    return upstream;
  }
  const std::size_t scheme_end = std::min(url.find("://"), url.size());
  const std::string scheme(url.substr(0, scheme_end));
  if (url.find('@') != std::string_view::npos) {
    return invalid("a user or password is never part of the URL; use --username and --password-file");
  }
  if (scheme_end == url.size() || (scheme != "mqtt" && scheme != "mqtts")) {
    const bool tls = scheme == "ssl" || scheme == "tls";
    const std::string meant = tls               ? "mqtts"
                              : scheme == "tcp" ? "mqtt"
                                                : nearest(scheme, {"mqtt", "mqtts", "stdout"}).value_or("");
    return invalid(
        in_quotes(url) + " is not mqtt://HOST, mqtts://HOST or stdout:" +
        (meant.empty() ? "" : " (did you mean " + in_quotes(meant + (meant == "stdout" ? ":" : "://")) + "?)"));
  }
  upstream.tls = scheme == "mqtts";
  std::string_view host = url.substr(scheme_end + 3);
  if (!host.empty() && host.back() == '/') host.remove_suffix(1);
  auto broker = parse_endpoint(host, upstream.tls ? kMqttsPort : kMqttPort, scheme + "://broker.example.com");
  if (!broker) return broker.error();
  upstream.broker = *broker;
  return upstream;
}

}  // namespace metergate
