#include "agent/cli/check_broker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "agent/cli/subcommands.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class CheckBrokerTest : public testing::Test {
 protected:
  int check(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"check", "--broker", "--gateway-id", "gw", "--store", "/nowhere/metergate.db"});
    if (std::find(more.begin(), more.end(), "--upstream") == more.end()) {
      more.insert(more.end(), {"--upstream", "mqtts://broker.example"});
    }
    const auto parsed = parse_command_line(more, {});
    const auto* invocation = std::get_if<Invocation>(&parsed);
    if (invocation == nullptr) {
      err_ << std::get<UsageError>(parsed).message;
      return std::get<UsageError>(parsed).status;
    }
    const SendRequest agent = [this](const std::string& request) {
      EXPECT_EQ(request, R"({"ask":"broker"})");
      return answer_;
    };
    return check_broker(*invocation, agent, clock_, out_, err_);
  }
  void links(const std::string& links) {
    answer_ = std::string(R"({"by":"agent","client_id":"metergate-gw","links":[)") + links + "]}";
  }

  const std::string good_ =
      R"({"name":"broker.example","port":8883,"address":"192.0.2.1","ok":true,"tcp":true,"tls":{"version":"TLSv1.3",)"
      R"("peer":"CN=broker.example","peer_until":"2027-01-05T00:00:00.000Z","peer_days":38,)"
      R"("authority_until":"2036-01-05T00:00:00.000Z","authority_days":3325,)"
      R"("own_until":"2026-12-05T00:00:00.000Z","own_days":7},"session":"kept",)"
      R"("subscriptions":{"metergate/gw/commands":"granted","metergate/gw/receipts":"granted"},)"
      R"("round_trip_us":1204,"largest_message":4096,"waiting":0,"since":"2026-11-28T10:00:00.000Z"})";
  const std::string bad_ =
      R"({"name":"broker.example","port":8883,"address":"192.0.2.2","ok":false,"tcp":false,"largest_message":null,)"
      R"("waiting":0,"error":"192.0.2.2:8883: connection refused: nothing listens on this port"})";
  Result<std::string> answer_{Error{Errc::kOffline, "nobody"}};
  FakeClock clock_;
  std::ostringstream out_, err_;
};

TEST_F(CheckBrokerTest, ShowsWhatTheRunningAgentKnowsInsteadOfTakingItsSession) {
  links(good_ + "," + bad_);

  EXPECT_EQ(check(), 0);
  EXPECT_EQ(out_.str(),
            "The agent runs and has the session; this is what it knows of its broker.\n"
            "\n"
            "broker mqtts://broker.example:8883 at 192.0.2.1\n"
            "  TCP                          connected\n"
            "  TLS                          TLSv1.3, verified: CN=broker.example\n"
            "  its certificate              ends in 38 days (2027-01-05)\n"
            "  its authority's certificate  ends in 3,325 days (2036-01-05)\n"
            "  our certificate              ends in 7 days (2026-12-05): renew it now\n"
            "  CONNACK                      accepted; the broker has this gateway's session\n"
            "  SUBACK                       metergate/gw/commands granted\n"
            "                               metergate/gw/receipts granted\n"
            "  round trip                   1.20 ms\n"
            "  largest message              4096 bytes, as the agent found out\n"
            "  connected                    since 2026-11-28T10:00:00.000Z\n"
            "\n"
            "broker mqtts://broker.example:8883 at 192.0.2.2\n"
            "  failed  192.0.2.2:8883: connection refused: nothing listens on this port\n"
            "\n");
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(CheckBrokerTest, EndsWith69WhenNoAddressWouldDo) {
  links(bad_);

  EXPECT_EQ(check(), 69);
  EXPECT_EQ(err_.str(), "metergate: no address of the broker would do\n");
}

TEST_F(CheckBrokerTest, PrintsTheAnswerAsItIsWithJson) {
  links(good_);

  EXPECT_EQ(check({"--json"}), 0);
  EXPECT_EQ(out_.str(), *answer_ + "\n");
}

TEST_F(CheckBrokerTest, NamesABrokerThatTheRunningAgentDoesNotHave) {
  links(good_);

  EXPECT_EQ(check({"--upstream", "mqtts://broker.example", "--upstream", "mqtts://new.example"}), 0);
  EXPECT_THAT(err_.str(), HasSubstr("warning: new.example:8883 is no broker of the running agent"));
}

TEST_F(CheckBrokerTest, TellsThatAnAgentCannotBeAsked) {
  answer_ = Error{Errc::kInvalid, "may not be opened by this user"};

  EXPECT_EQ(check(), 78);
  EXPECT_EQ(err_.str(), "metergate: may not be opened by this user\n");
  EXPECT_THAT(out_.str(), IsEmpty());
}

TEST_F(CheckBrokerTest, TellsCommandsThatWait) {
  links(R"({"name":"b","port":8883,"ok":true,"tcp":true,"tcp_us":1250,"session":"new","waiting":2})");
  check();

  EXPECT_THAT(out_.str(), HasSubstr("TCP              connected in 1.25 ms\n"));
  EXPECT_THAT(out_.str(), HasSubstr("commands         2 came, were not acknowledged and wait for the agent\n"));
}

TEST_F(CheckBrokerTest, IsRefusedWithoutABroker) {
  EXPECT_EQ(check({"--upstream", "stdout:"}), 64);
  EXPECT_EQ(err_.str(), "--broker needs a broker; with --upstream stdout: there is none");
}

}  // namespace
}  // namespace metergate
