#include "agent/protocol/command_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Command good(const std::string& payload) {
  const auto parsed = parse_command(payload);
  if (const auto* bad = std::get_if<BadCommand>(&parsed)) {
    ADD_FAILURE() << payload << " refused: " << bad->message;
    return {};
  }
  return std::get<Command>(parsed);
}

BadCommand bad(const std::string& payload) {
  const auto parsed = parse_command(payload);
  if (std::holds_alternative<Command>(parsed)) {
    ADD_FAILURE() << payload << " taken";
    return {};
  }
  return std::get<BadCommand>(parsed);
}

/// A command whose members beyond the id are `rest`.
std::string with_id(const std::string& rest) { return R"({"id":"c-1",)" + rest + "}"; }

std::string write_of(const std::string& value) {
  return with_id(R"("op":"write","meter":"main","point":"relay","expires_at":"2026-11-22T10:00:30Z","value":)" + value);
}

std::string read_of(const std::string& registers) {
  return with_id(R"("op":"read","route":{"bus":"rs485-1","unit":7},"registers":)" + registers);
}

TEST(CommandTest, RefusesWithItsIdWhatIsNestedTooDeepOrHasTooManyValues) {
  std::string deep, many = "0";
  for (int i = 0; i < 33; ++i) deep = "[" + deep + "]";
  for (int i = 0; i < 20'001; ++i) many += ",0";
  for (const std::string& odd : {deep, "[" + many + "]"}) {
    const BadCommand refused = bad(with_id(R"("op":"read","meter":"m1","route":{"bus":"b","unit":7},"x":)" + odd));
    EXPECT_EQ(refused.id, "c-1");
    EXPECT_EQ(refused.op, "read");
    EXPECT_EQ(refused.meter, "m1");
    EXPECT_EQ(refused.code, "bad_command");
    EXPECT_TRUE(refused.route);
  }
  EXPECT_EQ(bad("{\"x\":" + deep + "}").id, "") << "without an id it stays unreadable";
  EXPECT_EQ(bad(R"({"id":"c-1","x":[)").id, "") << "and so does what is no JSON";
}

TEST(CommandTest, ReadsNamedPointsOfAMeter) {
  const Command command = good(
      R"({"id":"c-8812","op":"read","meter":"main","points":["active_energy_import","a"],"expires_at":"2026-11-22T10:00:30.000Z"})");
  EXPECT_EQ(command.id, "c-8812");
  EXPECT_EQ(command.op, Command::Op::kRead);
  EXPECT_EQ(command.meter, "main");
  EXPECT_FALSE(command.all_points);
  EXPECT_THAT(command.points, ElementsAre("active_energy_import", "a"));
  EXPECT_EQ(rfc3339(command.expires.value()), "2026-11-22T10:00:30.000Z");
  EXPECT_FALSE(command.route);
}

TEST(CommandTest, ReadsAllPointsOfAMeterWithoutEnd) {
  const Command command = good(with_id(R"("op":"read","meter":"main")"));
  EXPECT_TRUE(command.all_points);
  EXPECT_TRUE(command.points.empty());
  EXPECT_FALSE(command.expires);
}

TEST(CommandTest, ReadsRegistersOfARoute) {
  const Command command = good(read_of(R"({"table":"holding","address":0,"count":10})"));
  EXPECT_EQ(command.route->bus, "rs485-1");
  EXPECT_EQ(command.route->unit, 7);
  EXPECT_EQ(command.registers, (Block{Table::kHolding, 0, 10}));
  EXPECT_TRUE(command.meter.empty());
}

TEST(CommandTest, ReadsDataItemsOfARoute) {
  const Command command =
      good(with_id(R"("op":"read","route":{"bus":"b","address":"161"},"items":["00010000","0201ff00"])"));
  EXPECT_EQ(command.route->address, "000000000161");
  EXPECT_FALSE(command.registers);
  EXPECT_EQ(command.items,
            (std::vector<Block>{whole_item(0x00010000, Family::kDlt645), whole_item(0x0201FF00, Family::kDlt645)}));
  EXPECT_EQ(good(with_id(R"("op":"read","route":{"bus":"b","address":"161"},"items":["9010"])")).items,
            std::vector<Block>{whole_item(0x9010, Family::kDlt645Of1997)});
}

TEST(CommandTest, RefusesItemsThatAreNone) {
  const std::pair<const char*, const char*> table[] = {
      {R"("route":{"bus":"b","address":"161"},"items":[])", "items must be an array"},
      {R"("route":{"bus":"b","address":"161"},"items":["0001000"])", "'0001000' is none"},
      {R"("route":{"bus":"b","address":"161"},"items":["00010000","9010"])", "all have 8 digits, or all 4"},
      {R"("route":{"bus":"b","address":161},"items":["00010000"])", "address of route must be a text"},
      {R"("route":{"bus":"b","address":"999999999999"},"items":["00010000"])", "that of all meters"},
      {R"("route":{"bus":"b","unit":1},"items":["00010000"])", "a unit has registers, an address has items"},
      {R"("route":{"bus":"b","address":"1"},"registers":{"table":"holding","address":0,"count":1})",
       "a unit has registers, an address has items"},
  };
  for (const auto& [members, message] : table) {
    EXPECT_THAT(bad(with_id(std::string(R"("op":"read",)") + members)).message, HasSubstr(message)) << members;
  }
}

TEST(CommandTest, TakesAsManyRegistersAsOneRequestReads) {
  const std::pair<std::string, Block> table[] = {
      {R"({"table":"coil","address":0,"count":2000})", {Table::kCoil, 0, 2000}},
      {R"({"table":"discrete","address":63536,"count":2000})", {Table::kDiscrete, 63'536, 2000}},
      {R"({"table":"input","address":65535,"count":1})", {Table::kInput, 65'535, 1}},
      {R"({"table":"holding","address":65411,"count":125})", {Table::kHolding, 65'411, 125}},
      {R"({"table":"holding","address":7001,"count":62,"register_bytes":4})", {Table::kHolding, 7001, 62, 4}},
      {R"({"table":"holding","address":1,"count":125,"register_bytes":2})", {Table::kHolding, 1, 125, 2}},
  };
  for (const auto& [json, block] : table) EXPECT_EQ(good(read_of(json)).registers, block) << json;
}

TEST(CommandTest, WritesANumberExactlyAsItWasWritten) {
  for (const std::string text : {"1", "-0.070", "18446744073709551615", "1.5e3"}) {
    const Command command = good(write_of(text));
    EXPECT_EQ(command.op, Command::Op::kWrite);
    EXPECT_EQ(command.point, "relay");
    EXPECT_EQ(command.value.form, Value::Form::kNumber);
    EXPECT_EQ(command.value.text, text);
    EXPECT_EQ(command.value.number, Decimal::parse(text));
  }
}

TEST(CommandTest, WritesTheNameOfAState) {
  const Command command = good(write_of(R"("on")"));
  EXPECT_EQ(command.value.form, Value::Form::kText);
  EXPECT_EQ(command.value.text, "on");
  EXPECT_FALSE(command.value.number);
}

TEST(CommandTest, AsksForStatusAndCatalog) {
  EXPECT_EQ(good(with_id(R"("op":"status")")).op, Command::Op::kStatus);
  const Command command = good(with_id(R"("op":"catalog","catalog":"00c0ffee")"));
  EXPECT_EQ(command.op, Command::Op::kCatalog);
  EXPECT_EQ(command.catalog, "00c0ffee");
  EXPECT_EQ(good(with_id(R"("op":"catalog")")).catalog, "");
}

TEST(CommandTest, AsksForAReplayByNumberOrByTime) {
  const Command numbers =
      good(with_id(R"("op":"replay","epoch":"3f9c0a6b12de","lane":"events","from_seq":3,"to_seq":3)"));
  EXPECT_EQ(numbers.op, Command::Op::kReplay);
  EXPECT_EQ(numbers.replay.lane, Lane::kEvents);
  EXPECT_EQ(numbers.replay.epoch, "3f9c0a6b12de");
  EXPECT_EQ(numbers.replay.from_seq, 3);
  EXPECT_EQ(numbers.replay.to_seq, 3);
  const Command times = good(
      with_id(R"("op":"replay","from":"2026-11-22T10:00:00.250Z","to":"2026-11-22T10:00:00.250Z","meter":"gone")"));
  EXPECT_EQ(times.replay.lane, Lane::kReadings);
  EXPECT_EQ(times.replay.epoch, "");
  EXPECT_EQ(times.replay.from, times.replay.to);
  EXPECT_EQ(to_ms(times.replay.from) % 1000, 250);
  EXPECT_EQ(times.replay.meter, "gone");
  EXPECT_EQ(times.meter, "gone");
}

TEST(CommandTest, NamesEachOpAsTheBackendWritesIt) {
  for (const char* op : {"read", "write", "status", "catalog"}) {
    const Command command = good(
        with_id(R"("op":")" + std::string(op) +
                R"(","meter":"m","point":"p","value":1,"catalog":"0123abcd","expires_at":"2026-11-22T10:00:30Z")"));
    EXPECT_STREQ(op_name(command.op), op);
  }
}

TEST(CommandTest, IgnoresUnknownMembersAndTakesNullForLeftOut) {
  const Command command =
      good(with_id(R"("op":"read","meter":"main","route":null,"points":null,"expires_at":null,"trace":{"x":[1]})"));
  EXPECT_TRUE(command.all_points);
  EXPECT_FALSE(command.expires);
}

TEST(CommandTest, FindsNoIdInWhatIsNoCommandAtAll) {
  for (const std::string& payload :
       {std::string(""), std::string("hello"), std::string("[]"), std::string("{"), std::string("42"),
        std::string("{}"), std::string(R"({"id":"c-1","op":"status"} x)"), std::string(R"({"id":7,"op":"status"})"),
        std::string(R"({"id":"","op":"status"})"), std::string(R"({"id":"with blank","op":"status"})"),
        std::string(R"({"id":"tab\t","op":"status"})"), std::string(R"({"id":"nul\u0000","op":"status"})"),
        std::string(R"({"id":"é","op":"status"})"), R"({"id":")" + std::string(129, 'x') + R"(","op":"status"})",
        R"({"id":"c-1","op":"status","pad":")" + std::string(kMaxCommandBytes, 'x') + "\"}"}) {
    const BadCommand command = bad(payload);
    EXPECT_EQ(command.id, "") << payload.substr(0, 60);
    EXPECT_EQ(command.code, "bad_command");
    EXPECT_FALSE(command.message.empty());
  }
}

TEST(CommandTest, TakesTheLongestIdAndTheLargestPayload) {
  const std::string id(128, '~');
  EXPECT_EQ(good(R"({"id":")" + id + R"(","op":"status"})").id, id);
  const std::string head = R"({"id":"!","op":"status","pad":")";
  EXPECT_EQ(good(head + std::string(kMaxCommandBytes - head.size() - 2, 'x') + "\"}").id, "!");
}

TEST(CommandTest, ToldWhatWouldBeRightWhenACommandIsBad) {
  struct Row {
    std::string rest;
    std::string code;
    std::string message;
  };
  const std::string write = R"("op":"write","meter":"m","point":"p","expires_at":"2026-11-22T10:00:30Z")";
  const std::string route = R"("op":"read","route":{"bus":"b","unit":1})";
  const Row table[] = {
      {R"("x":1)", "bad_command", "op must be read, write"},
      {R"("op":5)", "bad_command", "op must be read, write"},
      {R"("op":"wrte")", "bad_command", "did you mean 'write'"},
      {R"("op":"replay")", "bad_command", "either epoch, from_seq and to_seq, or from and to"},
      {R"("op":"replay","epoch":"e","from_seq":1,"to_seq":2,"from":"2026-11-22T10:00:30Z")", "bad_command",
       "either epoch"},
      {R"("op":"replay","from":"2026-11-22T10:00:30Z")", "bad_command", "either epoch"},
      {R"("op":"replay","epoch":"0123456789ab")", "bad_command", "needs epoch, from_seq and to_seq"},
      {R"("op":"replay","epoch":7,"from_seq":1,"to_seq":2)", "bad_command", "epoch must be"},
      {R"("op":"replay","epoch":"e","from_seq":0,"to_seq":2)", "bad_command", "from_seq and to_seq"},
      {R"("op":"replay","epoch":"e","from_seq":3,"to_seq":2)", "bad_command", "from_seq and to_seq"},
      {R"("op":"replay","epoch":"e","from_seq":1,"to_seq":"2")", "bad_command", "from_seq and to_seq"},
      {R"("op":"replay","from":"2026-11-22T10:00:30Z","to":"2026-11-22T10:00:29Z")", "bad_command", "from and to"},
      {R"("op":"replay","from":"yesterday","to":"2026-11-22T10:00:29Z")", "bad_command", "from and to"},
      {R"("op":"replay","epoch":"e","from_seq":1,"to_seq":2,"lane":"reading")", "bad_command", "lane must be"},
      {R"("op":"replay","epoch":"e","from_seq":1,"to_seq":2,"lane":5)", "bad_command", "lane must be"},
      {R"("op":"replay","epoch":"e","from_seq":1,"to_seq":2,"meter":5)", "bad_command", "meter must be"},
      {R"("op":"pause")", "bad_command", "needs bus"},
      {R"("op":"pause","bus":"b","for":"9h")", "bad_value", "8h"},
      {R"("op":"pause","bus":"b","for":30)", "bad_value", "for: "},
      {R"("op":"resume")", "bad_command", "needs bus"},
      {R"("op":"read")", "bad_command", "either meter, or route and registers"},
      {R"("op":"read","meter":"m","route":{"bus":"b","unit":1},"registers":{"table":"coil","address":0,"count":1})",
       "bad_command", "either meter"},
      {R"("op":"read","meter":"m","registers":{"table":"coil","address":0,"count":1})", "bad_command", "either meter"},
      {route, "bad_command", "either meter"},
      {R"("op":"read","registers":{"table":"coil","address":0,"count":1})", "bad_command", "either meter"},
      {R"("op":"read","meter":7)", "bad_command", "meter must be a text"},
      {R"("op":"read","meter":"")", "bad_command", "meter must be a text"},
      {R"("op":"read","meter":")" + std::string(129, 'm') + "\"", "bad_command", "1 to 128 bytes"},
      {R"("op":"read","meter":"m","points":[])", "bad_command", "leave it out for all"},
      {R"("op":"read","meter":"m","points":"a")", "bad_command", "must be an array"},
      {R"("op":"read","meter":"m","points":["a",1])", "bad_command", "each of points must be a text"},
      {R"("op":"read","meter":"m","expires_at":1795341630)", "bad_command", "RFC 3339"},
      {R"("op":"read","meter":"m","expires_at":"tomorrow")", "bad_command", "RFC 3339"},
      {R"("op":"status","expires_at":"2026-13-22T10:00:30Z")", "bad_command", "RFC 3339"},
      {R"("op":"read","route":"b","registers":{})", "bad_command", "route must be an object like"},
      {R"("op":"read","route":{"bus":"b"},"registers":{})", "bad_command", "route must be an object like"},
      {R"("op":"read","route":{"bus":"","unit":1},"registers":{})", "bad_command", "bus of route must be"},
      {R"("op":"read","route":{"bus":"b","unit":256},"registers":{})", "bad_command", "from 0 to 255"},
      {R"("op":"read","route":{"bus":"b","unit":"1"},"registers":{})", "bad_command", "from 0 to 255"},
      {R"("op":"read","route":{"bus":"b","unit":1.5},"registers":{})", "bad_command", "from 0 to 255"},
      {R"("op":"catalog","catalog":"00C0FFEE")", "bad_command", "8 hex digits"},
      {R"("op":"catalog","catalog":12345678)", "bad_command", "8 hex digits"},
      {R"("op":"write","meter":"m","value":1)", "bad_command", "needs meter, point and value"},
      {R"("op":"write","point":"p","value":1)", "bad_command", "needs meter, point and value"},
      {write, "bad_command", "needs meter, point and value"},
      {write + R"(,"value":1,"route":{"bus":"b","unit":1})", "bad_command", "leave out route"},
      {R"("op":"write","meter":"m","point":"p","value":1)", "bad_command", "needs expires_at"},
      {R"("op":"write","meter":"m","point":"p","value":1,"expires_at":null)", "bad_command", "needs expires_at"},
      {R"("op":"write","meter":"m","point":"p","value":1,"expires_at":"")", "bad_command", "RFC 3339"},
      {write + R"(,"value":true)", "bad_value", "write 1"},
      {write + R"(,"value":false)", "bad_value", "write 0"},
      {write + R"(,"value":null)", "bad_value", "a number or the name"},
      {write + R"(,"value":[1])", "bad_value", "a number or the name"},
      {write + R"(,"value":"")", "bad_value", "a number or the name"},
      {write + R"(,"value":")" + std::string(200, 'x') + "\"", "bad_value", "a number or the name"},
      {write + R"(,"value":)" + std::string(1000, '9'), "bad_value", "at most 38 digits"},
  };
  for (const Row& row : table) {
    const BadCommand command = bad(with_id(row.rest));
    EXPECT_EQ(command.id, "c-1") << row.rest;
    EXPECT_EQ(command.code, row.code) << row.rest;
    EXPECT_THAT(command.message, HasSubstr(row.message)) << row.rest;
    EXPECT_LT(command.message.size(), 300u) << row.rest;
  }
}

TEST(CommandTest, ToldWhatWouldBeRightWhenRegistersAreBad) {
  const std::pair<std::string, std::string> table[] = {
      {R"([])", "registers must be an object like"},
      {R"({"table":"holding","address":0})", "registers must be an object like"},
      {R"({"table":"holdings","address":0,"count":1})", "coil, discrete, input or holding"},
      {R"({"table":3,"address":0,"count":1})", "coil, discrete, input or holding"},
      {R"({"table":"holding","address":65536,"count":1})", "from 0 to 65535"},
      {R"({"table":"holding","address":-1,"count":1})", "from 0 to 65535"},
      {R"({"table":"holding","address":1e999999,"count":1})", "from 0 to 65535"},
      {R"({"table":"holding","address":0,"count":0})", "1 to 125 for holding"},
      {R"({"table":"input","address":0,"count":126})", "1 to 125 for input"},
      {R"({"table":"coil","address":0,"count":2001})", "1 to 2000 for coil"},
      {R"({"table":"holding","address":65412,"count":125})", "at most 65536"},
      {R"({"table":"coil","address":65535,"count":2})", "at most 65536"},
      {R"({"table":"holding","address":0,"count":63,"register_bytes":4})", "1 to 62 for holding"},
      {R"({"table":"holding","address":0,"count":1,"register_bytes":3})", "register_bytes is 2 or 4"},
      {R"({"table":"coil","address":0,"count":1,"register_bytes":4})", "register_bytes is 2 or 4"},
  };
  for (const auto& [registers, message] : table)
    EXPECT_THAT(bad(read_of(registers)).message, HasSubstr(message)) << registers;
}

TEST(CommandTest, EchoesWhatCanBeReadOfABadCommand) {
  const BadCommand command =
      bad(with_id(R"("op":"read","meter":"main","points":[],"route":{"bus":"rs485-1","unit":7})"));
  EXPECT_EQ(command.op, "read");
  EXPECT_EQ(command.meter, "main");
  ASSERT_TRUE(command.route);
  EXPECT_EQ(command.route->bus, "rs485-1");
  EXPECT_EQ(command.route->unit, 7);
}

TEST(CommandTest, EchoesNothingThatIsTooLongOrNoWord) {
  const BadCommand command = bad(with_id(R"("op":")" + std::string(33, 'x') + R"(","meter":")" + std::string(200, 'm') +
                                         R"(","route":{"bus":1})"));
  EXPECT_EQ(command.op, "");
  EXPECT_EQ(command.meter, "");
  EXPECT_FALSE(command.route);
}

TEST(CommandTest, FindsTheIdOfACommandWithANumberBeyondAnyRegister) {
  const BadCommand command = bad(with_id(R"("op":"catalog","catalog":1e999999)"));
  EXPECT_EQ(command.id, "c-1");
}

}  // namespace
}  // namespace metergate
