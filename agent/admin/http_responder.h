#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace metergate {

struct HttpAnswer {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};
/// What there is to see, by path.
using HttpHandler = std::function<HttpAnswer(const std::string& path)>;

/// From the bytes of a request's head to those of the whole answer, after which the connection is closed (RFC 9110,
/// RFC 9112). GET and HEAD only; a body is never read, and no header but Authorization changes the answer. Escapes in a
/// path are not decoded, as no path here has one. Does no input or output and waits for nothing. One thread.
class HttpResponder {
 public:
  /// With a `token` only for those who send it: as a bearer, or as the password of the user `metergate`. `wrong_token`
  /// is called for each request with another one.
  HttpResponder(
      HttpHandler handler, const std::string& token, std::function<void()> wrong_token = [] {});

  /// `head`: the request line and the headers, each with its line break. What is no request gets 400.
  std::string answer(std::string_view head) const;

 private:
  bool may_see(std::string_view authorization) const;

  const HttpHandler handler_;
  const std::function<void()> wrong_token_;
  std::string bearer_, basic_;  // the values of Authorization that are let in; empty: everyone is
};

/// The whole answer with a short text and nothing else.
std::string http_error(int status, const std::string& text);

}  // namespace metergate
