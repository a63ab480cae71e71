#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "agent/cli/subcommands.h"
#include "agent/protocol/codec.h"
#include "store/sqlite/file_store.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

/// `metergate store` with an agent that gives prepared answers.
class StoreTest : public testing::Test {
 protected:
  int store(std::vector<std::string> words) {
    words.insert(words.begin(), "store");
    auto parsed = parse_command_line(words, {});
    if (auto* error = std::get_if<UsageError>(&parsed)) {
      err_ << error->message;
      return error->status;
    }
    const SendRequest send = [this](const std::string& request) -> Result<std::string> {
      if (request.find("\"where\"") != std::string::npos) {
        if (offline_) return Error{Errc::kOffline, "no agent"};
        return std::string(R"({"path":"/store"})");
      }
      requests_.push_back(request);
      if (answers_.empty()) return Error{Errc::kTimeout, "no answer"};
      std::string answer = answers_.front();
      if (answers_.size() > 1) answers_.erase(answers_.begin());
      return answer;
    };
    return run_store(std::get<Invocation>(parsed), out_, err_, send, clock_);
  }

  FakeClock clock_;
  bool offline_ = false;
  std::vector<std::string> answers_, requests_;
  std::ostringstream out_, err_;
};

const std::string kReading =
    R"({"id":"g/e/readings/7","seq":7,"at":"2026-11-22T10:00:00.143Z","clock":"synced","meter":"main","poll":"billing",)"
    R"("slot":"2026-11-22T10:00:00.000Z","span_ms":4,"catalog":"5d1c70aa","quality":"partial",)"
    R"("values":{"active_energy_import":1234567890123456789.56,"state":"on, \"really\"","power":null},)"
    R"("errors":{"frequency":{"code":"timeout","message":"no answer"}}})";

TEST_F(StoreTest, ExportsRecordsAsTheyWereSentPageByPage) {
  answers_ = {"{\"lines\":2,\"next\":41}\n{\"a\":1}\n{\"a\":2}", "{\"lines\":1,\"next\":0}\n{\"a\":3}"};
  EXPECT_EQ(store({"export", "--from", "2026-11-22T10:00:00Z", "--to", "2026-11-22T11:00:00+01:00"}), 0);
  EXPECT_EQ(out_.str(), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
  const std::string head =
      R"({"ask":"store","what":"records","lane":"readings","from":"2026-11-22T10:00:00.000Z","to":"2026-11-22T10:00:00.000Z","after":)";
  EXPECT_THAT(requests_, ElementsAre(head + "0}", head + "41}"));
}

TEST_F(StoreTest, ExportsReadingsAsCsvWithOneLineAValueAndAllTheirDigits) {
  answers_ = {"{\"lines\":1,\"next\":0}\n" + kReading};
  EXPECT_EQ(store({"export", "--format", "csv"}), 0);
  const std::string head =
      "g/e/readings/7,7,2026-11-22T10:00:00.143Z,synced,main,billing,2026-11-22T10:00:00.000Z,partial,";
  EXPECT_EQ(out_.str(), "id,seq,at,clock,meter,poll,slot,quality,point,value,error\n" + head +
                            "active_energy_import,1234567890123456789.56,\n" + head +
                            "state,\"on, \"\"really\"\"\",\n" + head + "power,,\n" + head + "frequency,,timeout\n");
}

TEST_F(StoreTest, TellsABadReadingAsOneCsvLineWithItsError) {
  answers_ = {
      R"({"lines":1,"next":0})"
      "\n"
      R"({"id":"i","seq":1,"at":"t","clock":"synced","meter":"m","poll":"p","quality":"bad","values":{},"error":{"code":"timeout","message":"x"}})"};
  EXPECT_EQ(store({"export", "--format", "csv"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("\ni,1,t,synced,m,p,,bad,,,timeout\n"));
}

TEST_F(StoreTest, ShowsWhatWaitsSinceWhenAndHowFastItDrains) {
  const auto status = [](int waiting) {
    return R"({"store":{"readings":{"waiting":)" + std::to_string(waiting) +
           R"(,"oldest":"2026-11-22T09:00:00.000Z","dropped":3},"results":{"waiting":0},"events":{"waiting":1,"oldest":"x"},)"
           R"("open_commands":2,"dead_letters":5,"bytes_used":1200000,"bytes_max":268435456},)"
           R"("uplink":{"connected":true,"lanes":{"readings":{"refused":false},"events":{"refused":true}}}})";
  };
  answers_ = {status(6200), status(6000)};
  EXPECT_EQ(store({}), 0);
  EXPECT_EQ(
      out_.str(),
      "LANE      WAITING  SINCE                     DRAINS        EMPTY IN         DROPPED  REFUSED\n"
      "readings    6,000  2026-11-22T09:00:00.000Z  12,000 a min  less than 1 min        3  -\n"
      "results         0  -                         -             -                      0  -\n"
      "events          1  x                         no            -                      0  yes\n"
      "the broker is connected; 1.2 MB of 268 MB are used, 2 commands are open, 5 unreadable messages are kept\n");
  answers_ = {status(6000), status(6020)};
  EXPECT_EQ(store({"waiting", "--json"}), 0);
  EXPECT_THAT(out_.str(),
              HasSubstr(R"({"lane":"readings","waiting":6020,"since":"2026-11-22T09:00:00.000Z",)"
                        R"("drains_a_minute":-1200,"drops_a_minute":0,"dropped":3,"lost":0,"refused":false})"));
}

TEST_F(StoreTest, TellsDropsAndLostReadingsFromADrain) {
  const auto status = [](int waiting, int dropped, int lost) {
    return R"({"store":{"readings":{"waiting":)" + std::to_string(waiting) + R"(,"oldest":"t","dropped":)" +
           std::to_string(dropped) + R"(},"readings_lost":)" + std::to_string(lost) +
           R"(},"uplink":{"connected":false,"lanes":{}}})";
  };
  answers_ = {status(6000, 3, 0), status(5990, 17, 2)};  // 4 more came, 14 were dropped
  EXPECT_EQ(store({}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("readings    5,990  t      drops 840 a min  -              17  -\n"));
  EXPECT_THAT(out_.str(), HasSubstr("\n2 readings were lost, since the store could not take them\n"));
  answers_ = {status(6000, 3, 0), status(5990, 17, 2)};
  EXPECT_EQ(store({"waiting", "--json"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr(R"("waiting":5990,"since":"t","drains_a_minute":-240,"drops_a_minute":840,)"
                                    R"("dropped":17,"lost":2,"refused":false})"));
}

TEST_F(StoreTest, ShowsCommandsWithTheirStates) {
  answers_ = {R"({"lines":1,"next":0})"
              "\n"
              R"({"id":"c1","op":"read","bus":"a","received_at":"t","state":"failed","code":"timeout"})"};
  EXPECT_EQ(store({"commands"}), 0);
  EXPECT_EQ(out_.str(), "RECEIVED  ID  OP    BUS  STATE   CODE\nt         c1  read  a    failed  timeout\n");
}

TEST_F(StoreTest, ShowsAHostilePayloadWithoutItsControlCharactersAndShort) {
  answers_ = {R"({"lines":1,"next":0})"
              "\n"
              R"({"at":"t","topic":"x","why":"y","payload":"\u001b[2J)" +
              std::string(200, 'z') + "\"}"};
  EXPECT_EQ(store({"dead"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr(" [2Jzzz"));
  EXPECT_THAT(out_.str(), HasSubstr("z...\n"));
  EXPECT_EQ(out_.str().find('\x1b'), std::string::npos);
}

TEST_F(StoreTest, SaysWhyTheStoreCannotBeRead) {
  answers_ = {R"({"error":{"code":"store","message":"the store did not answer in time"}})"};
  EXPECT_EQ(store({"drops"}), 74);
  EXPECT_THAT(err_.str(), HasSubstr("did not answer"));
  answers_ = {R"({"error":{"code":"busy","message":"64 clients are connected already; try again later"}})"};
  EXPECT_EQ(store({"drops"}), 69);
  offline_ = true;
  EXPECT_EQ(store({"drops", "--store", "/nowhere/m.db"}), 73);
  EXPECT_THAT(err_.str(), HasSubstr("there is no such file"));
}

TEST_F(StoreTest, TellsWithoutAnAgentWhatTheStoreHadNoRoomFor) {
  std::string folder = (std::filesystem::temp_directory_path() / "metergate-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  StoreSettings settings;
  settings.path = folder + "/m.db";
  settings.gateway = "g";
  settings.max_bytes = 8 << 20;
  Log log(LogLevel::kError, LogFormat::kText, clock_);
  const auto files = posix_file_system();
  auto full = FileStore::open(settings, record_format("g", clock_), *files, clock_, log);
  ASSERT_TRUE(full) << full.error().detail;
  FileStore::Hooks hooks;
  hooks.committed = hooks.ended = [] {};
  hooks.work = [&] { (*full)->step(clock_.mono()); };
  ASSERT_TRUE((*full)->begin("0123456789ab", event_draft(stamp_of(clock_), "started", "{}"), hooks));
  Draft answer;
  answer.lane = Lane::kResults;
  answer.body = std::string(10'000, 'r');
  for (int i = 0; i < 3000 && !(*full)->only_reserve_left(); ++i) (*full)->append({answer});
  StoredCommand command;
  command.id = "c";
  command.body = std::string(60'000, 'c');
  for (bool room = true; room; command.id += "c") room = static_cast<bool>((*full)->admit(command, std::nullopt));
  for (int i = 0; i < 1234; ++i) (*full)->append({Draft()});
  ASSERT_TRUE((*full)->finish());
  full->reset();

  offline_ = true;
  EXPECT_EQ(store({"--store", settings.path}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("no agent runs: nothing is sent\n"
                                    "1,234 readings were lost since this store was made, as it could not take them\n"
                                    "1 commands were refused since this store was made, as it had no room\n"));
  EXPECT_EQ(store({"waiting", "--json", "--store", settings.path}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("\"lost\":1234"));
  std::filesystem::remove_all(folder);
}

TEST_F(StoreTest, EndsWhenAnAnswerRepeatsItself) {
  answers_ = {"{\"lines\":1,\"next\":41}\n{\"a\":1}"};
  EXPECT_EQ(store({"export"}), 74);
  EXPECT_EQ(requests_.size(), 2u);
  EXPECT_THAT(err_.str(), HasSubstr("gives the same page again"));
}

TEST_F(StoreTest, RefusesAnAnswerThatIsNoPage) {
  for (const char* answer : {"{}", "[]", "no JSON", R"({"lines":2,"next":0})", R"({"lines":0})",
                             R"({"lines":0,"next":"x"})", R"({"lines":0,"next":-1})", R"({"error":7})"}) {
    answers_ = {answer};
    err_.str("");
    EXPECT_EQ(store({"dead"}), 74) << answer;
    EXPECT_THAT(err_.str(), StartsWith("metergate: ")) << answer;
  }
}

TEST_F(StoreTest, RefusesAStatusWithoutStoreOrUplink) {
  for (const char* answer : {"{}", "7", R"({"store":{}})", R"({"store":7,"uplink":{}})"}) {
    answers_ = {answer};
    err_.str("");
    EXPECT_EQ(store({}), 69) << answer;
    EXPECT_THAT(err_.str(), HasSubstr("metergate: the agent's answer has no object")) << answer;
  }
}

TEST_F(StoreTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(store({"wating"}), 64);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean 'waiting'"));
  EXPECT_EQ(store({"export", "--from", "yesterday"}), 64);
  EXPECT_EQ(store({"drops", "--from", "2026-11-22T10:00:00Z"}), 64);
  EXPECT_EQ(store({"export", "--format", "csv", "--lane", "events"}), 64);
  EXPECT_EQ(store({"export", "--format", "xml"}), 64);
  EXPECT_TRUE(requests_.empty());
}

}  // namespace
}  // namespace metergate
