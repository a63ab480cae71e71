#include "agent/base/log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest() {
    EXPECT_EQ(pipe(ends_.data()), 0);
    unsetenv("JOURNAL_STREAM");
    clock_.step_utc(from_ms(1'795'341'630'000));
  }
  ~LogTest() override {
    unsetenv("JOURNAL_STREAM");
    close(ends_[0]);
    if (ends_[1] >= 0) close(ends_[1]);
  }

  Log log(LogLevel level = LogLevel::kInfo, LogFormat format = LogFormat::kText) {
    return Log(level, format, clock_, ends_[1]);
  }
  /// Everything written so far; nothing can be written after.
  std::string written() {
    close(ends_[1]);
    ends_[1] = -1;
    std::string all;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = read(ends_[0], buffer.data(), buffer.size())) > 0;) {
      all.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return all;
  }
  void connect_journal() {
    struct stat info {};
    fstat(ends_[1], &info);
    setenv("JOURNAL_STREAM", (std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino)).c_str(), 1);
  }

  FakeClock clock_;
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(LogTest, WritesTimeLevelMessageAndFields) {
  log().warn("meter is silent", {{"meter", "main"}, {"detail", "no answer in 1s"}, {"empty", ""}});
  EXPECT_EQ(written(),
            "2026-11-22T10:00:30.000Z warning meter is silent meter=main detail=\"no answer in 1s\" empty=\"\"\n");
}

TEST_F(LogTest, LeavesOutWhatIsBelowItsLevel) {
  Log quiet = log(LogLevel::kWarning);
  quiet.debug("a");
  quiet.info("b");
  quiet.warn("c");
  quiet.error("d");
  EXPECT_EQ(written(), "2026-11-22T10:00:30.000Z warning c\n2026-11-22T10:00:30.000Z error d\n");
}

TEST_F(LogTest, WritesJsonALine) {
  log(LogLevel::kDebug, LogFormat::kJson).debug("say \"hi\"", {{"path", "a\\b"}, {"bytes", "\n\x01\xFF"}});
  EXPECT_EQ(written(),
            R"({"at":"2026-11-22T10:00:30.000Z","level":"debug","message":"say \"hi\"","path":"a\\b","bytes":"\n\u0001)"
            "\xEF\xBF\xBD\"}\n");
}

TEST_F(LogTest, GivesTheJournalThePriorityInsteadOfTimeAndLevel) {
  connect_journal();
  Log to_journal = log();
  to_journal.error("a");
  to_journal.info("b");
  EXPECT_EQ(written(), "<3>a\n<6>b\n");
}

TEST_F(LogTest, TakesAnInheritedJournalVariableForNoJournal) {
  setenv("JOURNAL_STREAM", "8:12345", 1);
  log().info("a");
  EXPECT_EQ(written(), "2026-11-22T10:00:30.000Z info a\n");
}

TEST_F(LogTest, KeepsALineALineWhateverComesIn) {
  log().info("one\ntwo\r", {{"v", "x\n2026 error forged"}});
  EXPECT_EQ(written(), "2026-11-22T10:00:30.000Z info one\\ntwo\\u000d v=\"x\\n2026 error forged\"\n");
}

TEST_F(LogTest, LeavesGoodUtf8AndReplacesTheRest) {
  log().info("Z\xC3\xA4hler \xE2\x82\xAC \xF0\x9F\x94\x8C|\xC0\xAF|\xED\xA0\x80|\xE2\x82");
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(written(), "2026-11-22T10:00:30.000Z info Z\xC3\xA4hler \xE2\x82\xAC \xF0\x9F\x94\x8C|" + bad + bad + "|" +
                           bad + bad + bad + "|" + bad + bad + "\n");
}

TEST_F(LogTest, CutsWhatIsTooLong) {
  log().info("m", {{"v", std::string(100'000, 'x')}});
  const std::string line = written();
  EXPECT_LT(line.size(), 1100u);
  EXPECT_EQ(line.substr(line.size() - 6), "x...\"\n");
}

}  // namespace
}  // namespace metergate
