#include <gmock/gmock.h>

#include "agent/admin/http_responder.h"

namespace metergate {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HttpResponderTest : public testing::Test {
 protected:
  std::string answer_to(const std::string& head, const std::string& token = "") {
    const HttpHandler handler = [this](const std::string& path) {
      shown_ = path;
      return path == "/metrics" ? HttpAnswer{200, "text/x", "seen"} : HttpAnswer{404, "text/y", "nothing"};
    };
    return HttpResponder(handler, token, [this] { ++wrong_tokens_; }).answer(head);
  }
  int wrong_tokens_ = 0;
  std::string shown_ = "nothing was shown";
};

TEST_F(HttpResponderTest, AnswersAndClosesTheConnection) {
  EXPECT_THAT(answer_to("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\nContent-Type: text/x\r\n"),
                    HasSubstr("\r\nContent-Length: 4\r\n"), HasSubstr("\r\nConnection: close\r\n"),
                    HasSubstr("\r\nContent-Security-Policy: default-src 'none'"), EndsWith("\r\n\r\nseen")));
  EXPECT_EQ(shown_, "/metrics");
  EXPECT_THAT(answer_to("GET /else HTTP/1.1\r\nHost: a\r\n"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(HttpResponderTest, AnswersHeadWithoutABody) {
  EXPECT_THAT(answer_to("HEAD /metrics HTTP/1.1\r\nHost: a\r\n"),
              AllOf(HasSubstr("\r\nContent-Length: 4\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(HttpResponderTest, RefusesWhatWouldChangeSomething) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    EXPECT_THAT(answer_to(std::string(method) + " /metrics HTTP/1.1\r\nContent-Length: 999999999\r\n"),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: GET, HEAD\r\n")));
  }
  EXPECT_EQ(shown_, "nothing was shown");
}

TEST_F(HttpResponderTest, RefusesWhatIsNoRequest) {
  for (const char* head : {"", "\r\n", "GET\r\n", "GET /metrics\r\n", "GET /metrics HTTP/1.1", "GET  HTTP/1.1\r\n",
                           "GET /metrics  HTTP/1.1\r\n", "GET /metrics HTTP/2.0\r\n", "get /metrics HTTP/1.1\r\n",
                           "GET http://a/metrics HTTP/1.1\r\n", "BREW / HTTP/1.1\r\n", "\x16\x03\x01\r\n"}) {
    EXPECT_THAT(answer_to(head), StartsWith("HTTP/1.1 400 Bad Request\r\n")) << head;
  }
  EXPECT_EQ(shown_, "nothing was shown");
}

TEST_F(HttpResponderTest, DecodesNoEscapesInAPath) {
  EXPECT_THAT(answer_to("GET /%6detrics HTTP/1.0\r\n"), StartsWith("HTTP/1.1 404 "));
  EXPECT_EQ(shown_, "/%6detrics");
}

TEST_F(HttpResponderTest, SendsTheWholeOnceWhateverRangesAndCodingsAreAskedFor) {
  std::string ranges = "0-";
  while (ranges.size() < 3'000) ranges += ",0-";
  EXPECT_THAT(answer_to("GET /metrics HTTP/1.1\r\nRange: bytes=" + ranges +
                        "\r\nAccept-Encoding: br, gzip\r\nExpect: 100-continue\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 "), Not(HasSubstr("Content-Encoding")), EndsWith("\r\n\r\nseen")));
}

TEST_F(HttpResponderTest, TellsAWrongTokenButNotAMissingOne) {
  answer_to("GET / HTTP/1.1\r\n", "secret");
  answer_to("GET / HTTP/1.1\r\nAuthorization: Bearer secret\r\n", "secret");
  answer_to("GET / HTTP/1.1\r\nAuthorization: Bearer wrong\r\n");
  EXPECT_EQ(wrong_tokens_, 0);
  answer_to("GET / HTTP/1.1\r\nAuthorization: Bearer wrong\r\n", "secret");
  answer_to("GET / HTTP/1.1\r\nAuthorization: Basic d3Jvbmc=\r\n", "secret");
  EXPECT_EQ(wrong_tokens_, 2);
}

TEST_F(HttpResponderTest, WantsTheTokenWhereThereIsOne) {
  const std::string get = "GET /metrics HTTP/1.1\r\n";
  for (const char* wrong : {"", "Authorization: Bearer secre\r\n", "Authorization: Bearer secret1\r\n",
                            "Authorization: Basic bWV0ZXJnYXRlOg==\r\n", "X-Authorization: Bearer secret\r\n",
                            "Authorization : Bearer secret\r\n", "Authorization: Bearer secret",
                            "Authorization: Bearer wrong\r\nAuthorization: Bearer secret\r\n"}) {
    EXPECT_THAT(answer_to(get + wrong, "secret"),
                AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("\r\nWWW-Authenticate: Basic realm=\"metergate\"\r\n"),
                      Not(HasSubstr("secret"))));
  }
  EXPECT_EQ(shown_, "nothing was shown");
  EXPECT_THAT(answer_to(get + "Authorization: Bearer secret\r\n", "secret"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer_to(get + "authorization:Basic bWV0ZXJnYXRlOnNlY3JldA==\t\r\n", "secret"),
              StartsWith("HTTP/1.1 200 "));
  const std::pair<const char*, const char*> others[] = {
      {"secre", "bWV0ZXJnYXRlOnNlY3Jl"}, {"s\xC3\xA9", "bWV0ZXJnYXRlOnPDqQ=="}, {"sec1", "bWV0ZXJnYXRlOnNlYzE="}};
  for (const auto& [token, encoded] : others) {
    EXPECT_THAT(answer_to(get + "Authorization: Basic " + encoded + "\r\n", token), StartsWith("HTTP/1.1 200 "))
        << token;
  }
}

}  // namespace
}  // namespace metergate
