#include "agent/cli/read_hints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace metergate {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string all_hints(const Symptoms& symptoms) {
  std::string text;
  for (const std::string& hint : hints_for(symptoms)) text += hint + "\n";
  return text;
}

Symptoms seen(std::int64_t answers, std::int64_t timeouts, std::int64_t damaged) {
  Symptoms s;
  s.requests = answers + timeouts + damaged;
  s.answers = answers;
  s.timeouts = timeouts;
  s.crc = damaged;
  return s;
}

TEST(Hints, HaveNothingToSayOfAMeterThatAnswers) { EXPECT_THAT(hints_for(seen(20, 0, 0)), IsEmpty()); }

TEST(Hints, NameUnitBaudAndSwappedWiresWhenNothingAnswers) {
  EXPECT_THAT(all_hints(seen(0, 2, 0)), HasSubstr("another unit, baud rate or mode in the meter; A and B swapped"));
}

TEST(Hints, NameTheUnitFirstWhenOtherMetersOfTheLineAnswer) {
  Symptoms s = seen(0, 20, 0);
  s.others_answer = true;
  EXPECT_THAT(all_hints(s), HasSubstr("so the line is right: another unit"));
}

TEST(Hints, NameTheBaudRateWhenOnlyGarbageComes) {
  EXPECT_THAT(all_hints(seen(0, 0, 2)), HasSubstr("another baud rate or mode in the meter"));
}

TEST(Hints, NameTheNumbersOfAServerWhenOnlyGarbageComesFromOne) {
  Symptoms s = seen(0, 0, 2);
  s.link = LinkKind::kTcp;
  EXPECT_THAT(all_hints(s), HasSubstr("lenient="));
  EXPECT_THAT(all_hints(s), HasSubstr("rtu-over-tcp="));
  EXPECT_THAT(all_hints(s), Not(HasSubstr("A and B")));
}

TEST(Hints, NameTwoMetersWithOneUnitWhenOnlyThisOneIsGarbled) {
  Symptoms s = seen(0, 3, 17);
  s.others_answer = true;
  EXPECT_THAT(all_hints(s), HasSubstr("two meters with this unit answer at once"));
  EXPECT_THAT(all_hints(s), Not(HasSubstr("baud")));
}

TEST(Hints, NameTerminationAndASecondMasterWhenSomeAnswersAreDamaged) {
  EXPECT_THAT(all_hints(seen(17, 1, 2)), HasSubstr("termination or bias is missing"));
  EXPECT_THAT(all_hints(seen(17, 1, 2)), HasSubstr("a second master"));
}

TEST(Hints, NameTheTimeoutWhenSomeAnswersAreMissing) {
  EXPECT_THAT(all_hints(seen(18, 2, 0)), HasSubstr("a longer timeout"));
}

TEST(Hints, NameTheProfileTheGatewayOrTheBusyMeterByItsException) {
  Symptoms s = seen(0, 0, 0);
  s.requests = s.exceptions = 3;
  s.exception = 2;
  EXPECT_THAT(all_hints(s), HasSubstr("a profile for another model or firmware"));
  s.exception = 11;
  EXPECT_THAT(all_hints(s), HasSubstr("does not reach this unit"));
  s.exception = 6;
  EXPECT_THAT(all_hints(s), HasSubstr("busy"));
}

TEST(Hints, SayNothingOfWiresWhereThereAreNone) {
  Symptoms s = seen(0, 2, 0);
  s.link = LinkKind::kTcp;
  EXPECT_THAT(all_hints(s), HasSubstr("behind that address"));
  for (const Symptoms& each : {s, seen(0, 0, 2), seen(17, 1, 2)}) {
    Symptoms tcp = each;
    tcp.link = LinkKind::kTcp;
    for (const char* wire : {"baud", "mode in", "swapped", "termination"})
      EXPECT_THAT(all_hints(tcp), Not(HasSubstr(wire))) << tcp.timeouts << tcp.crc;
  }
}

TEST(Hints, NameTheSerialServerWhereOneSetsTheLine) {
  Symptoms s = seen(0, 2, 0);
  s.link = LinkKind::kSerialServer;
  EXPECT_THAT(all_hints(s), HasSubstr("another baud rate or mode in the serial server"));
}

TEST(Hints, NameTheNotationOfManualsAndTheOtherFunctionWhenRegistersAreRefused) {
  Symptoms s = seen(0, 0, 0);
  s.requests = s.exceptions = 1;
  s.exception = 2;
  s.raw = true;
  s.refused = {Table::kHolding, 40100, 2};
  EXPECT_THAT(all_hints(s), HasSubstr("the register that a manual calls 40100 is holding 99\n"));
  EXPECT_THAT(all_hints(s), HasSubstr("table input instead of holding"));
  EXPECT_THAT(all_hints(s), Not(HasSubstr("profile")));
  s.refused = {Table::kInput, 30001, 2};
  EXPECT_THAT(all_hints(s), HasSubstr("is input 0\n"));
  EXPECT_THAT(all_hints(s), HasSubstr("table holding instead of input"));
  s.refused = {Table::kHolding, 100, 2};
  EXPECT_THAT(all_hints(s), Not(HasSubstr("manual")));
}

class OrderTest : public testing::Test {
 protected:
  OrderTest() {
    profile_ = *parse_profile("p", "p.ini",
                              "[profile]\nformat = 1\nname = P\nmaker = N\nmodel = P\n[points]\n"
                              "voltage_l1 = holding 0 f32 unit=V\nfrequency = holding 2 f32 unit=Hz\n"
                              "current_l1 = holding 4 i32 scale=0.001 unit=A\nstatus = holding 6 u16\n",
                              [](const std::string&) { return std::nullopt; });
    meter_.profile = &profile_;
    for (const Point& point : profile_.points) points_.push_back(&point);
  }
  static Words float_words(float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    return {static_cast<std::uint16_t>(bits >> 16), static_cast<std::uint16_t>(bits & 0xFFFF)};
  }
  void put(std::uint16_t address, Words words, bool swapped) {
    if (swapped) std::swap(words[0], words[1]);
    image_.put({Table::kHolding, address, 2}, words);
  }

  Profile profile_;
  MeterConfig meter_;
  std::vector<const Point*> points_;
  RegisterImage image_;
};

TEST_F(OrderTest, IsFoundWhenTheValuesMakeSenseWithSwappedWordsOnly) {
  put(0, float_words(230.1F), true);
  put(2, float_words(49.98F), true);
  put(4, {0, 5123}, true);
  EXPECT_EQ(better_order(meter_, points_, image_), "order=CDAB");
  Symptoms s;
  s.order = "order=CDAB";
  EXPECT_THAT(all_hints(s), HasSubstr("a profile with order=CDAB makes sense of them"));
}

TEST_F(OrderTest, IsLeftAloneWhenTheValuesMakeSenseOrAreZero) {
  EXPECT_EQ(better_order(meter_, points_, image_), "");
  put(0, float_words(230.1F), false);
  put(2, float_words(49.98F), false);
  put(4, {0, 0}, false);
  EXPECT_EQ(better_order(meter_, points_, image_), "");
}

}  // namespace
}  // namespace metergate
