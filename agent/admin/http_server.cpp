#include "agent/admin/http_server.h"

#include <httplib.h>

#include <algorithm>
#include <utility>

namespace metergate {

namespace {

/// Request line, Host and Authorization: all that the answer depends on. What cpp-httplib would do with others
/// (many ranges, compression of the best kind, a wait for a body) is work that any client could ask for.
std::string essential(std::string_view head) {
  constexpr std::string_view wanted[] = {"host:", "authorization:"};
  std::string kept;
  while (!head.empty()) {
    const std::size_t end = std::min(head.find('\n'), head.size() - 1) + 1;
    const std::string_view line = head.substr(0, end);
    const auto starts_with = [line](std::string_view word) {
      return line.size() > word.size() && std::equal(word.begin(), word.end(), line.begin(), [](char a, char b) {
               return a == (b >= 'A' && b <= 'Z' ? b + ('a' - 'A') : b);
             });
    };
    if (kept.empty() || std::any_of(std::begin(wanted), std::end(wanted), starts_with)) kept += line;
    head.remove_prefix(end);
  }
  return kept + "\r\n";
}

/// Takes as long for a wrong text as for the right one.
bool same(const std::string& given, const std::string& right) {
  unsigned difference = given.size() == right.size() ? 0 : 1;
  for (std::size_t i = 0; i < right.size(); ++i) {
    const char c = i < given.size() ? given[i] : '\0';
    difference |= static_cast<unsigned char>(c ^ right[i]);
  }
  return difference == 0;
}

class Bytes : public httplib::Stream {
 public:
  explicit Bytes(std::string in) : in_(std::move(in)) {}
  bool is_readable() const override { return read_ < in_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, std::size_t size) override {
    const std::size_t count = in_.copy(to, size, read_);
    read_ += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* from, std::size_t size) override {
    out.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return 0; }

  std::string out;

 private:
  const std::string in_;
  std::size_t read_ = 0;
};

/// cpp-httplib's own sockets and threads are not used: a slow client would hold one of them.
class Engine : public HttpServer, private httplib::Server {
 public:
  Engine(HttpHandler site, const std::string& token) : site_(std::move(site)) {
    if (!token.empty()) {
      bearer_ = "Bearer " + token;
      basic_ = httplib::make_basic_authentication_header("metergate", token).second;
    }
    set_default_headers({{"Cache-Control", "no-store"},
                         {"X-Content-Type-Options", "nosniff"},
                         {"Referrer-Policy", "no-referrer"},
                         {"Content-Security-Policy",
                          "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                          "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                          "frame-ancestors 'none'"}});
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      respond(request, response);
      return HandlerResponse::Handled;
    });
  }

  std::string answer(std::string_view head) override {
    Bytes bytes(essential(head));
    bool closed = false;
    process_request(bytes, true, closed, nullptr);
    return std::move(bytes.out);
  }

 private:
  void respond(const httplib::Request& request, httplib::Response& response) const {
    const auto refuse = [&response](int status, const char* why) {
      response.status = status;
      response.set_content(why, "text/plain; charset=utf-8");
    };
    if (request.method != "GET" && request.method != "HEAD") {
      response.set_header("Allow", "GET, HEAD");
      return refuse(405, "nothing can be changed here: GET and HEAD only\n");
    }
    const std::string given = request.get_header_value("Authorization");
    if (!bearer_.empty() && !same(given, bearer_) && !same(given, basic_)) {
      response.set_header("WWW-Authenticate", "Basic realm=\"metergate\"");
      return refuse(401, "this wants the token: as a bearer, or as the password of the user metergate\n");
    }
    HttpAnswer answer = site_(request.path);
    response.status = answer.status;
    response.set_header("Content-Type", answer.type);
    response.body = std::move(answer.body);
  }

  const HttpHandler site_;
  std::string bearer_, basic_;  // the header's value
};

}  // namespace

HttpServer* metergate_make_http_server(const HttpHandler& site, const std::string& token) {
  return new Engine(site, token);
}

}  // namespace metergate
