#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace metergate {

struct HttpAnswer {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};
/// What there is to see, by path.
using HttpHandler = std::function<HttpAnswer(const std::string& path)>;

/// From the bytes of a request's head to those of the whole answer, after which the connection is closed. GET and HEAD
/// only; a body is never read. Does no input or output and waits for nothing. One thread.
class HttpServer {
 public:
  virtual ~HttpServer() = default;
  virtual std::string answer(std::string_view head) = 0;
};

/// With a `token` only for those who send it: as a bearer, or as the password of the user `metergate`.
using MakeHttpServer = HttpServer* (*)(const HttpHandler& site, const std::string& token);
extern "C" HttpServer* metergate_make_http_server(const HttpHandler& site, const std::string& token);

/// The maker out of the library that is installed beside the program. It is loaded by this call, and for good: an agent
/// without --http has neither it nor what it needs in memory. Errors: kInvalid (not there, or of no use).
Result<MakeHttpServer> load_http_server();

}  // namespace metergate
