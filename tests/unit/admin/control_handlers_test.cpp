#include "agent/admin/control_handlers.h"

#include <gmock/gmock.h>

#include <list>

#include "tests/fakes/fake_bus.h"
#include "tests/fakes/one_bus.h"
#include "tests/fakes/worker_bench.h"

namespace metergate {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// The handlers before one bus with one meter, as the control socket calls them.
class ControlHandlersTest : public testing::Test, protected WorkerBench {
 protected:
  ControlHandlersTest() : bus_(clock_) {
    line_.meter("m", 7);
    site_.buses.push_back(line_.bus);
    start(site_.buses[0], bus_);
    parts_.site = &site_;
    parts_.clock = &clock_;
    parts_.pauses["rs485-1"] = pause_.get();
    parts_.give["rs485-1"] = [this](OpenCommand command) { return worker_->give_local(std::move(command)); };
    parts_.answered = [this] { ++answered_; };
    parts_.store_path = "/store";
    uplink_.client_id = "metergate-gw";
    uplink_.brokers = {{"one", 1883}, {"two", 1883}};
    parts_.uplink = &uplink_;
    parts_.forwarder = [this] { return forwarder_; };
    handlers_ = control_handlers(parts_);
  }

  /// The answer, or "" when it takes time: then waiting_ has what gives it.
  std::string request(const std::string& text) {
    const auto json = parse_json(text);
    auto answer = handlers_.at(json->find("ask")->text)(*json);
    if (auto* given = std::get_if<std::string>(&answer)) return *given;
    waiting_.push_back(std::move(*std::get_if<ControlServer::Later>(&answer)));
    return "";
  }

  const std::string read_ = R"({"ask":"read","bus":"rs485-1","unit":7,"table":"holding","address":10,"count":2})";
  UplinkOptions uplink_;
  ForwarderState forwarder_;
  OneBus line_;
  Site site_;
  FakeBus bus_;
  ControlParts parts_;
  ControlServer::Handlers handlers_;
  std::list<ControlServer::Later> waiting_;
  int answered_ = 0;
};

TEST_F(ControlHandlersTest, AnswersALocalReadWhenItsTurnHasCome) {
  EXPECT_EQ(request(read_), "");
  EXPECT_EQ(waiting_.front()(), std::nullopt);
  run(std::chrono::seconds(1));
  EXPECT_EQ(answered_, 1);
  EXPECT_THAT(waiting_.front()().value_or(""), StartsWith(R"({"registers":[10,11],"took_us":)"));
}

TEST_F(ControlHandlersTest, TellsWhatAReadNeeds) {
  for (const char* wrong : {R"({"ask":"read"})", R"({"ask":"read","bus":"rs485-1","unit":7})",
                            R"({"ask":"read","bus":"rs485-1","unit":7,"table":"holding","address":10,"count":126})",
                            R"({"ask":"read","bus":"rs485-1","unit":7,"table":"holdings","address":10,"count":1})"}) {
    EXPECT_THAT(request(wrong), StartsWith(R"({"error":{"code":"bad_request")")) << wrong;
  }
  EXPECT_THAT(request(R"({"ask":"read","bus":"x","unit":7,"table":"holding","address":10,"count":1})"),
              StartsWith(R"({"error":{"code":"no_such_bus")"));
  EXPECT_TRUE(waiting_.empty());
}

TEST_F(ControlHandlersTest, SaysBusyWhenSixteenWaitForTheBus) {
  for (int i = 0; i < 16; ++i) EXPECT_EQ(request(read_), "");
  EXPECT_THAT(request(read_), StartsWith(R"({"error":{"code":"busy")"));
  run(std::chrono::seconds(30));
  EXPECT_EQ(answered_, 16);
  EXPECT_EQ(request(read_), "");
}

TEST_F(ControlHandlersTest, AsksNothingForAClientThatIsGone) {
  for (int i = 0; i < 16; ++i) EXPECT_EQ(request(read_), "");
  waiting_.clear();
  run(std::chrono::seconds(30));
  EXPECT_EQ(bus_.asked.size(), 0u);
  EXPECT_EQ(answered_, 0);
  EXPECT_EQ(request(read_), "") << "there is room again";
}

TEST_F(ControlHandlersTest, AnswersAPauseWhenThePortIsFree) {
  EXPECT_EQ(request(R"({"ask":"pause","bus":"rs485-1","for":"10m"})"), "");
  EXPECT_EQ(waiting_.front()(), std::nullopt);
  run(std::chrono::seconds(1));
  EXPECT_THAT(waiting_.front()().value_or(""), StartsWith(R"({"bus":"rs485-1","until":")"));
  EXPECT_THAT(request(R"({"ask":"buses"})"), HasSubstr(R"("paused_until":")"));
  EXPECT_EQ(request(R"({"ask":"resume","bus":"rs485-1"})"), R"({"bus":"rs485-1","was_paused":true})");
  EXPECT_THAT(request(R"({"ask":"pause","bus":"rs485-2"})"), HasSubstr("did you mean 'rs485-1'"));
  EXPECT_THAT(request(R"({"ask":"pause","bus":"rs485-1","for":"9h"})"), StartsWith(R"({"error":{"code":"bad_value")"));
}

TEST_F(ControlHandlersTest, NamesThePathOfTheStore) {
  EXPECT_EQ(request(R"({"ask":"store","what":"where"})"), R"({"path":"/store"})");
  EXPECT_THAT(request(R"({"ask":"store","what":"everything"})"), StartsWith(R"({"error":{"code":"bad_request")"));
}

TEST_F(ControlHandlersTest, TellsOfTheBrokerWhatTheAgentKnowsOfEachOfItsNodes) {
  LinkReports links(1);
  links[0].name = "one";
  links[0].port = 1883;
  links[0].address = "192.0.2.1";
  links[0].up_since = clock_.mono();
  forwarder_.links = std::make_shared<LinkReports>(links);
  forwarder_.round_trip = Micros{900};
  forwarder_.message_limit = 4096;

  const std::string answer = request(R"({"ask":"broker"})");
  EXPECT_THAT(answer, StartsWith(R"({"by":"agent","client_id":"metergate-gw","links":[{"name":"one",)"));
  EXPECT_THAT(answer, HasSubstr(R"("round_trip_us":900,"largest_message":4096,)"));
  EXPECT_THAT(answer, HasSubstr(R"({"name":"two","port":1883,"ok":false,)"));
  EXPECT_THAT(answer, HasSubstr(R"("error":"not tried since the agent's start"})"));
}

TEST_F(ControlHandlersTest, HasNoNodesToTellOfBeforeTheFirstStepOfTheUplink) {
  uplink_.brokers.clear();
  EXPECT_EQ(request(R"({"ask":"broker"})"), R"({"by":"agent","client_id":"metergate-gw","links":[]})");
}

}  // namespace
}  // namespace metergate
