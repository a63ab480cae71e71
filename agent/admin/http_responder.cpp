#include "agent/admin/http_responder.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "agent/base/base64.h"
#include "agent/base/text.h"

namespace metergate {

namespace {

constexpr std::string_view kRestrictions =
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n";

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Service Unavailable";
  }
}

/// `more`: further headers, each with its line break.
std::string bytes_of(const HttpAnswer& answer, bool with_body, std::string_view more) {
  std::string bytes = "HTTP/1.1 " + std::to_string(answer.status) + ' ' + reason_of(answer.status) + "\r\n";
  bytes.append(kRestrictions).append(more).append("Content-Type: ").append(answer.type);
  bytes += "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\nConnection: close\r\n\r\n";
  return with_body ? bytes += answer.body : bytes;
}

std::string refusal(int status, const std::string& text, std::string_view more = "") {
  HttpAnswer answer;
  answer.status = status;
  answer.body = text + '\n';
  return bytes_of(answer, true, more);
}

/// The next line without its break; nothing when no whole one is left.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

bool is_same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

/// The value of the first Authorization; empty without one.
std::string_view authorization_of(std::string_view headers) {
  while (const auto line = take_line(headers)) {
    const std::size_t colon = line->find(':');
    if (colon != std::string_view::npos && is_same_word(line->substr(0, colon), "authorization"))
      return trim(line->substr(colon + 1));
  }
  return {};
}

/// Takes as long for a wrong text as for the right one.
bool is_same_secret(std::string_view given, const std::string& right) {
  unsigned difference = given.size() == right.size() ? 0 : 1;
  for (std::size_t i = 0; i < right.size(); ++i) {
    const char c = i < given.size() ? given[i] : '\0';
    difference |= static_cast<unsigned char>(c ^ right[i]);
  }
  return difference == 0;
}

}  // namespace

HttpResponder::HttpResponder(HttpHandler handler, const std::string& token, std::function<void()> wrong_token)
    : handler_(std::move(handler)), wrong_token_(std::move(wrong_token)) {
  if (token.empty()) return;
  bearer_ = "Bearer " + token;
  basic_ = "Basic " + to_base64("metergate:" + token);
}

bool HttpResponder::may_see(std::string_view authorization) const {
  if (bearer_.empty()) return true;
  const bool by_bearer = is_same_secret(authorization, bearer_);
  const bool by_basic = is_same_secret(authorization, basic_);
  return by_bearer || by_basic;
}

std::string HttpResponder::answer(std::string_view head) const {
  constexpr std::array<std::string_view, 7> changing{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"};
  const auto line = take_line(head);
  const auto words = split(line.value_or(""), ' ');
  if (words.size() != 3 || (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0"))
    return refusal(400, "this is not a request of HTTP/1.1");
  if (std::find(changing.begin(), changing.end(), words[0]) != changing.end())
    return refusal(405, "nothing can be changed here: GET and HEAD only", "Allow: GET, HEAD\r\n");
  const bool is_get = words[0] == "GET";
  if ((!is_get && words[0] != "HEAD") || words[1][0] != '/') return refusal(400, "only GET /PATH and HEAD /PATH");
  const auto authorization = authorization_of(head);
  if (!may_see(authorization)) {
    if (!authorization.empty()) wrong_token_();  // without one a browser asks whether one is needed
    return refusal(401, "the token is needed: as a bearer token, or as the password of the user metergate",
                   "WWW-Authenticate: Basic realm=\"metergate\"\r\n");
  }
  return bytes_of(handler_(words[1].substr(0, words[1].find('?'))), is_get, "");
}

std::string http_error(int status, const std::string& text) { return refusal(status, text); }

}  // namespace metergate
