#include "agent/protocol/codec.h"

#include <gtest/gtest.h>

#include "agent/base/json.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {
namespace {

const Stamp kStamp{from_ms(1795341630000), true};  // 2026-11-22T10:00:30Z

Value number(const char* text) { return {Value::Form::kNumber, text, Decimal::parse(text)}; }

TEST(Codec, WritesAGoodReadingWithItsSlotAndExactValues) {
  Reading r;
  r.stamp = kStamp;
  r.meter = "main";
  r.poll = "billing";
  r.slot = kStamp.at;
  r.span = Millis{41};
  r.catalog = "0123abcd";
  r.serial = "S1";
  r.values = {
      {"active_energy_import", number("184467440737095516.15")}, {"mode", {Value::Form::kText, "a\"b", {}}}, {"x", {}}};
  r.flags = {{"mode", {"implausible"}}};
  EXPECT_EQ(
      reading_draft(r, true).body,
      R"("at":"2026-11-22T10:00:30.000Z","clock":"synced","meter":"main","poll":"billing",)"
      R"("slot":"2026-11-22T10:00:30.000Z","span_ms":41,"catalog":"0123abcd","serial":"S1","quality":"good",)"
      R"("values":{"active_energy_import":184467440737095516.15,"mode":"a\"b","x":null},"flags":{"mode":["implausible"]})");
}

TEST(Codec, TellsQualityByWhatIsMissing) {
  Reading r;
  r.values = {{"a", number("1")}};
  r.errors = {{"b", {"exception_2", "no such register"}}};
  EXPECT_NE(reading_draft(r, true).body.find(R"("quality":"partial")"), std::string::npos);
  r.values.clear();
  r.errors.clear();
  r.error = Failure{"timeout", "no answer"};
  const std::string bad = reading_draft(r, true).body;
  EXPECT_NE(bad.find(R"("quality":"bad")"), std::string::npos);
  EXPECT_NE(bad.find(R"("error":{"code":"timeout","message":"no answer"})"), std::string::npos);
}

TEST(Codec, NamesARecordByGatewayEpochLaneAndNumber) {
  EXPECT_EQ(record_bytes("gw", "a1b2c3d4e5f6", Lane::kResults, 7, R"("at":1)"),
            R"({"id":"gw/a1b2c3d4e5f6/results/7","seq":7,"at":1})");
}

TEST(Codec, GivesEachFailureItsCode) {
  const std::pair<Error, const char*> cases[] = {{{Errc::kTimeout, "", 0}, "timeout"},
                                                 {{Errc::kCrc, "", 0}, "crc"},
                                                 {{Errc::kGarbled, "", 0}, "garbled"},
                                                 {{Errc::kException, "", 11}, "exception_11"},
                                                 {{Errc::kBusDown, "", 0}, "bus_down"},
                                                 {{Errc::kInvalid, "no_ratio", 0}, "no_ratio"},
                                                 {{Errc::kInvalid, "bad_bcd: digit 12", 0}, "bad_bcd"}};
  for (const auto& [error, code] : cases) EXPECT_EQ(failure_of(error).code, code);
}

TEST(Codec, TellsAtStartWhatCameBefore) {
  Opened opened;
  EXPECT_EQ(started_detail(opened, "1.0"), R"({"version":"1.0","previous":null,"store":"new"})");
  opened.origin = StoreOrigin::kKept;
  opened.previous = PreviousEpoch{"e0", {}};
  opened.previous->numbers.last = {5, std::nullopt, 7};
  EXPECT_EQ(
      started_detail(opened, "1.0"),
      R"({"version":"1.0","previous":{"epoch":"e0","last":{"readings":5,"results":null,"events":7}},"store":"kept"})");
  opened.origin = StoreOrigin::kReplaced;
  opened.quarantined = "x.corrupt";
  opened.saved = {3, 2, 1};
  EXPECT_NE(started_detail(opened, "1.0")
                .find(R"("aside":"x.corrupt","saved":{"readings":3,"results":2,"events":1},"commands":"lost")"),
            std::string::npos);
}

TEST(Codec, SaysOnlineWithNumbersAndOfflineWithout) {
  StatusMessage status{"gw", "1.0", "e", true, kStamp.at, kStamp.at, std::array<std::int64_t, kLanes>{1, 2, 3}};
  EXPECT_EQ(status_payload(status),
            R"({"gateway":"gw","state":"online","at":"2026-11-22T10:00:30.000Z","since":"2026-11-22T10:00:30.000Z",)"
            R"("version":"1.0","epoch":"e","last":{"readings":1,"results":2,"events":3}})");
  status.online = false;
  status.last.reset();
  EXPECT_EQ(status_payload(status).find("last"), std::string::npos);
  EXPECT_EQ(epoch_of_status(status_payload(status)), "e");
  EXPECT_FALSE(epoch_of_status("[]"));
}

TEST(Codec, WritesADroppedRangeWithBothEnds) {
  FakeClock clock;
  const RecordFormat format = record_format("gw", clock);
  const Draft draft = format.dropped("e", Lane::kReadings, 4, 9, 6, kStamp.at);
  EXPECT_EQ(draft.lane, Lane::kEvents);
  EXPECT_NE(
      draft.body.find(
          R"("event":"records_dropped","detail":{"epoch":"e","lane":"readings","from_seq":4,"to_seq":9,"count":6})"),
      std::string::npos);
}

TEST(Codec, TellsRefusedCommandsByTheirCountTimesAndFirstIds) {
  FakeClock clock;
  const RecordFormat format = record_format("gw", clock);
  const Draft draft = format.refused(7, {"c1", "c\"2"}, from_ms(0), from_ms(1500), kStamp.at);
  EXPECT_EQ(draft.lane, Lane::kEvents);
  EXPECT_NE(draft.body.find(R"("event":"commands_refused","detail":{"count":7,"from":"1970-01-01T00:00:00.000Z",)"
                            R"("to":"1970-01-01T00:00:01.500Z","first_ids":["c1","c\"2"]})"),
            std::string::npos)
      << draft.body;
}

/// A reading of so many texts of 200 bytes, the last one missing, the first one flagged.
Reading large_reading(int texts) {
  Reading reading;
  reading.meter = "m1";
  reading.poll = "main";
  for (int i = 0; i < texts; ++i) {
    reading.values.emplace_back("text_" + std::to_string(i),
                                Value{Value::Form::kText, std::string(200, 'x'), std::nullopt});
  }
  reading.flags.emplace_back("text_0", std::vector<std::string>{"implausible"});
  reading.errors.emplace_back("last", Failure{"timeout", "no answer"});
  return reading;
}

TEST(Codec, SplitsAReadingByPointsThatIsTooLargeForARecord) {
  const auto drafts = reading_drafts(large_reading(700), true);
  ASSERT_EQ(drafts.size(), 3u);
  std::size_t values = 0;
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    EXPECT_LE(drafts[i].body.size(), kMaxRecordBody);
    EXPECT_EQ(drafts[i].meter, "m1");
    const Json record = *parse_json("{" + drafts[i].body + "}");
    EXPECT_EQ(record.find("part")->text, std::to_string(i + 1));
    EXPECT_EQ(record.find("parts")->text, "3");
    EXPECT_EQ(record.find("quality")->text, "partial");
    values += record.find("values")->items.size();
    EXPECT_EQ(record.find("flags") != nullptr, i == 0);
    EXPECT_EQ(record.find("errors") != nullptr, i == 2);
  }
  EXPECT_EQ(values, 700u);
}

TEST(Codec, LeavesAReadingWholeThatFitsIntoARecord) {
  const auto drafts = reading_drafts(large_reading(250), true);
  ASSERT_EQ(drafts.size(), 1u);
  EXPECT_EQ(drafts[0].body, reading_draft(large_reading(250), true).body);
  EXPECT_EQ(drafts[0].body.find("\"parts\""), std::string::npos);
}

TEST(Codec, FailsAResultThatIsTooLargeForARecord) {
  CommandResult result;
  result.command = "c";
  result.op = "read";
  result.status = "done";
  result.values = large_reading(700).values;
  const Draft draft = result_draft(result);
  const Json record = *parse_json("{" + draft.body + "}");
  EXPECT_EQ(record.find("status")->text, "failed");
  EXPECT_EQ(record.find("error")->find("code")->text, "overflow");
  EXPECT_EQ(record.find("values"), nullptr);
}

}  // namespace
}  // namespace metergate
