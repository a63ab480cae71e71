#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/profile/decode.h"
#include "drivers/profile/encode.h"
#include "drivers/profile/item_plan.h"
#include "drivers/profile/plan.h"

namespace metergate {
namespace {

using testing::HasSubstr;

constexpr const char* kHead = "[profile]\nformat = 1\nprotocol = dlt645-2007\n[points]\n";

Result<Profile> parse(const std::string& text) {
  return parse_profile("p", "p.ini", text, [](const std::string&) { return std::nullopt; });
}

class ItemProfileTest : public testing::Test {
 protected:
  void use(const std::string& points) {
    auto parsed = parse(kHead + points);
    ASSERT_TRUE(parsed) << parsed.error().detail;
    profile_ = std::move(*parsed);
  }
  static Block item(std::uint32_t id, int count) {
    Block block = whole_item(id, Family::kDlt645);
    block.count = static_cast<std::uint16_t>(count);
    return block;
  }
  std::string value(const std::string& point, std::uint32_t id, const Words& bytes) {
    RegisterImage image;
    image.put(item(id, 0), bytes);
    const auto decoded = decode(profile_, *profile_.find(point), image, Ratios{});
    if (!decoded) return "error " + decoded.error().detail;
    return decoded->value.form == Value::Form::kNull ? "null" : decoded->value.text;
  }
  std::vector<Block> plan(const std::vector<std::string>& names, const std::vector<Block>& refused = {}) {
    std::vector<const Point*> points;
    for (const std::string& name : names) points.push_back(profile_.find(name));
    return plan_blocks(profile_, points, {}, refused);
  }
  Profile profile_;
};

TEST_F(ItemProfileTest, DecodesWhatPublishedFramesHold) {
  use("active_energy_import = di 00010000 bcd bytes=4 scale=0.01\n"
      "voltage_l1 = di 02010100 bcd bytes=2 scale=0.1\n"
      "current_l1 = di 02020100 sbcd bytes=3 scale=0.001\n"
      "active_power = di 02030000 sbcd bytes=3 scale=0.1\n"
      "max_demand = di 01010000 bcd bytes=3 scale=0.1 unit=W\n"
      "max_demand_time = di 01010000 time form=dlt at=3 bytes=5\n"
      "relay = di 04000503 bits bits=4:1 enum=0:closed|1:open\n"
      "serial_number = di 04000402 bcd bytes=6 kind=text\n"
      "model = di 0400040B string bytes=10\n");
  EXPECT_EQ(value("active_energy_import", 0x00010000, {0x78, 0x56, 0x34, 0x12}), "123456.78");
  EXPECT_EQ(value("voltage_l1", 0x02010100, {0x01, 0x10}), "100.1");
  EXPECT_EQ(value("current_l1", 0x02020100, {0x23, 0x51, 0x80}), "-5.123");
  EXPECT_EQ(value("active_power", 0x02030000, {0x00, 0x50, 0x81}), "-1500");
  EXPECT_EQ(value("max_demand", 0x01010000, {0x34, 0x56, 0x12, 0x30, 0x10, 0x28, 0x11, 0x26}), "12563.4");
  EXPECT_EQ(value("max_demand_time", 0x01010000, {0x34, 0x56, 0x12, 0x30, 0x10, 0x28, 0x11, 0x26}),
            "2026-11-28T10:30:00");
  EXPECT_EQ(value("relay", 0x04000503, {0x10, 0x00}), "open");
  EXPECT_EQ(value("serial_number", 0x04000402, {0x61, 0x01, 0, 0, 0, 0}), "000000000161");
  EXPECT_EQ(value("model", 0x0400040B, {0, 0, 0, 0, '6', '6', '6', 'U', 'S', 'D'}), "DSU666");
}

TEST_F(ItemProfileTest, TellsWhatIsNotAvailableFromWhatIsWrong) {
  use("voltage_l2 = di 02010200 bcd bytes=2 scale=0.1\n"
      "other = di 02010300 bcd bytes=2 na=9999 unit=V\n"
      "t = di 01010000 time form=dlt at=3 bytes=5\n");
  EXPECT_EQ(value("voltage_l2", 0x02010200, {0xFF, 0xFF}), "null");
  EXPECT_EQ(value("voltage_l2", 0x02010200, {0xFF, 0x0F}), "error bad_bcd");
  EXPECT_EQ(value("other", 0x02010300, {0x99, 0x99}), "null");
  EXPECT_EQ(value("other", 0x02010300, {0xFF, 0xFF}), "error bad_bcd") << "na= says else";
  EXPECT_EQ(value("t", 0x01010000, {0, 0, 0, 0, 0, 0, 0, 0}), "null") << "no demand yet";
  EXPECT_EQ(value("t", 0x01010000, {0, 0, 0, 0x61, 0, 1, 1, 0x26}), "error bad_time");
}

TEST_F(ItemProfileTest, ReadsTheClockFromTwoItems) {
  use("meter_time = di 04000101 time form=dlt parts=04000101+04000102\n");
  RegisterImage image;
  image.put(item(0x04000101, 4), {0x01, 0x11, 0x01, 0x16});
  image.put(item(0x04000102, 3), {0x55, 0x53, 0x21});
  const auto decoded = decode(profile_, profile_.points[0], image, Ratios{});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->value.text, "2016-01-11T21:53:55");
  EXPECT_EQ(plan({"meter_time"}), (std::vector<Block>{item(0x04000101, 4), item(0x04000102, 3)}));
}

TEST_F(ItemProfileTest, ReadsABlockWhereItGivesTwoOrMore) {
  use("voltage_l1 = di 02010100 bcd bytes=2 scale=0.1 block=0201FF00+0\n"
      "voltage_l2 = di 02010200 bcd bytes=2 scale=0.1 block=0201FF00+2\n"
      "voltage_l3 = di 02010300 bcd bytes=2 scale=0.1 block=0201FF00+4\n");
  EXPECT_EQ(plan({"voltage_l1", "voltage_l3"}), (std::vector<Block>{item(0x0201FF00, 6)}));
  EXPECT_EQ(plan({"voltage_l2"}), (std::vector<Block>{item(0x02010200, 2)}));
  EXPECT_EQ(plan({"voltage_l1", "voltage_l2"}, {item(0x0201FF00, 6)}),
            (std::vector<Block>{item(0x02010100, 2), item(0x02010200, 2)}))
      << "the meter refuses the block";
  EXPECT_EQ(halves_of(item(0x0201FF00, 6), {&profile_.points[0], &profile_.points[2]}),
            (std::vector<Block>{item(0x02010100, 2), item(0x02010300, 2)}));
  EXPECT_TRUE(halves_of(item(0x02010100, 2), {&profile_.points[0]}).empty());
}

TEST_F(ItemProfileTest, EncodesOrdersOfARelayAndTimesOfAClock) {
  use("relay = di 04000503 bits bits=4:1 enum=0:closed|1:open write=relay allow=trip|close verify=relay after 5s\n"
      "meter_clock = di 04000101 time form=dlt parts=04000101+04000102 write=clock\n");
  const auto text = [](const std::string& word) { return Value{Value::Form::kText, word, {}}; };
  const auto trip = encode(profile_, profile_.points[0], text("trip"), {});
  ASSERT_TRUE(trip) << trip.error().detail;
  EXPECT_EQ(trip->form, Write::Form::kRelay);
  EXPECT_EQ(trip->values, Words{kTrip});
  EXPECT_EQ(shown_after(*trip)->text, "1");
  EXPECT_EQ(profile_.points[0].write->verify_after, Millis(5000));
  const auto permit = encode(profile_, profile_.points[0], text("permit"), {});
  ASSERT_FALSE(permit);
  EXPECT_EQ(permit.error().detail, "'permit': one of trip, close");
  EXPECT_FALSE(encode(profile_, profile_.points[1], text("now"), {})->time);
  EXPECT_TRUE(encode(profile_, profile_.points[1], text("2026-11-28T10:00:00Z"), {})->time);
  EXPECT_FALSE(encode(profile_, profile_.points[1], text("soon"), {}));
}

TEST_F(ItemProfileTest, RefusesWhatMeansNothingThere) {
  const std::pair<const char*, const char*> cases[] = {
      {"a = holding 0 u16 unit=V", "with this protocol a line is NAME = di ITEM TYPE"},
      {"a = di 0001 bcd bytes=4 unit=V", "a data item is 8 hex digits"},
      {"a = di 00010000 u16 unit=V", "a data item holds bcd, sbcd, bits, string or time"},
      {"a = di 00010000 bcd unit=V", "needs bytes="},
      {"a = di 00010000 bcd bytes=4 order=CDAB unit=V", "has no meaning for a data item"},
      {"a = di 00010000 bcd bytes=4 registers=2 unit=V", "has no meaning for a data item"},
      {"a = di 00010000 bcd bytes=9 unit=V", "bytes is a whole number from 1 to 8"},
      {"a = di 00010000 bcd bytes=4 block=0001FF00 unit=V", "block=DI+OFFSET"},
      {"a = di 00010000 bcd bytes=4 block=00010000+0 unit=V", "a block is another item"},
      {"a = di 04000101 time form=dlt bytes=4", "form=dlt has bytes=5"},
      {"a = di 04000101 time form=unix bytes=4", "form of a data item is one of dlt"},
      {"a = di 04000503 bits bits=4:1 write=relay", "needs allow="},
      {"a = di 04000503 bits bits=4:1 write=coil", "write of a data item is one of relay, clock"},
      {"a = di 04000503 bits bits=12:2 bytes=1", "reaches beyond the 1 bytes"},
  };
  for (const auto& [line, text] : cases) {
    const auto parsed = parse(std::string(kHead) + line + "\n");
    ASSERT_FALSE(parsed) << line;
    EXPECT_THAT(parsed.error().detail, HasSubstr(text)) << line;
  }
  EXPECT_THAT(parse("[profile]\nformat = 1\n[points]\na = di 00010000 bcd bytes=4\n").error().detail,
              HasSubstr("needs protocol = dlt645-2007"));
  EXPECT_THAT(parse("[profile]\nformat = 1\n[points]\na = holding 0 sbcd\n").error().detail,
              HasSubstr("goes with data items"));
  EXPECT_THAT(parse("[profile]\nformat = 1\nprotocol = dlt645-2007\nhole = 3\n").error().detail,
              HasSubstr("'hole': has no meaning with protocol = dlt645-2007"));
  EXPECT_THAT(parse("[profile]\nformat = 1\npreamble = 2\n").error().detail, HasSubstr("goes with protocol"));
}

}  // namespace
}  // namespace metergate
