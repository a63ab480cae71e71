#include <gmock/gmock.h>

#include <memory>

#include "agent/admin/http_server.h"

namespace metergate {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Http : public testing::Test {
 protected:
  std::string ask(const std::string& head, const std::string& token = "") {
    const HttpHandler site = [this](const std::string& path) {
      asked_ = path;
      return path == "/metrics" ? HttpAnswer{200, "text/x", "seen"} : HttpAnswer{404, "text/y", "nothing"};
    };
    return std::unique_ptr<HttpServer>(metergate_make_http_server(site, token))->answer(head);
  }
  std::string asked_ = "nobody asked";
};

TEST_F(Http, AnswersAndClosesTheConnection) {
  EXPECT_THAT(ask("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\nContent-Type: text/x\r\n"),
                    HasSubstr("\r\nContent-Length: 4\r\n"), HasSubstr("\r\nConnection: close\r\n"),
                    HasSubstr("\r\nContent-Security-Policy: default-src 'none'"), EndsWith("\r\n\r\nseen")));
  EXPECT_EQ(asked_, "/metrics");
  EXPECT_THAT(ask("GET /else HTTP/1.1\r\nHost: a\r\n"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(Http, AnswersHeadWithoutABody) {
  EXPECT_THAT(ask("HEAD /metrics HTTP/1.1\r\nHost: a\r\n"),
              AllOf(HasSubstr("\r\nContent-Length: 4\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(Http, RefusesWhatWouldChangeSomething) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    EXPECT_THAT(ask(std::string(method) + " /metrics HTTP/1.1\r\nContent-Length: 999999999\r\n"),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: GET, HEAD\r\n")));
  }
  EXPECT_EQ(asked_, "nobody asked");
}

TEST_F(Http, RefusesWhatIsNoRequest) {
  for (const char* head : {"", "\r\n", "GET\r\n", "GET /metrics\r\n", "BREW / HTTP/1.1\r\n", "\x16\x03\x01\r\n"}) {
    const std::string answer = ask(head);
    EXPECT_TRUE(answer.empty() || answer.compare(0, 13, "HTTP/1.1 400 ") == 0) << head << " got " << answer;
  }
  EXPECT_EQ(asked_, "nobody asked");
}

TEST_F(Http, SendsTheWholeOnceWhateverRangesAndCodingsAreAskedFor) {
  std::string ranges = "0-";
  while (ranges.size() < 3'000) ranges += ",0-";
  EXPECT_THAT(ask("GET /metrics HTTP/1.1\r\nRange: bytes=" + ranges +
                  "\r\nAccept-Encoding: br, gzip\r\nExpect: 100-continue\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 "), Not(HasSubstr("Content-Encoding")), EndsWith("\r\n\r\nseen")));
}

TEST_F(Http, WantsTheTokenWhereThereIsOne) {
  const std::string get = "GET /metrics HTTP/1.1\r\n";
  for (const char* wrong : {"", "Authorization: Bearer secre\r\n", "Authorization: Bearer secret1\r\n",
                            "Authorization: Basic bWV0ZXJnYXRlOg==\r\n", "X-Authorization: Bearer secret\r\n"}) {
    EXPECT_THAT(ask(get + wrong, "secret"),
                AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("\r\nWWW-Authenticate: Basic realm=\"metergate\"\r\n"),
                      Not(HasSubstr("secret"))));
  }
  EXPECT_EQ(asked_, "nobody asked");
  EXPECT_THAT(ask(get + "Authorization: Bearer secret\r\n", "secret"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(get + "authorization: Basic bWV0ZXJnYXRlOnNlY3JldA==\r\n", "secret"), StartsWith("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace metergate
