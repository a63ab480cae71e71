#include "agent/cli/text_table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace metergate {
namespace {

TEST(TextTableTest, AlignsColumnsByCharactersNotBytes) {
  TextTable table({"NAME", "VALUE", ""}, {1});
  table.add({"a", "1", ""});
  table.add({"Z\xC3\xA4hler", "12345678", "x"});
  std::ostringstream out;
  table.print(out, "  ");
  EXPECT_EQ(out.str(), "  NAME       VALUE\n  a              1\n  Z\xC3\xA4hler  12345678  x\n");
}

TEST(TextTableTest, LeavesOutAnEmptyHeader) {
  TextTable table({"", ""});
  table.add({"a", "b"});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(), "a  b\n");
}

TEST(TextTableTest, GroupsThousands) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(with_commas(-123456), "-123,456");
}

TEST(TextTableTest, GivesBytesTwoOrThreeDigits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(123456), "123 kB");
  EXPECT_EQ(format_bytes(999900), "1.0 MB");
  EXPECT_EQ(format_bytes(1.5e9), "1.5 GB");
}

}  // namespace
}  // namespace metergate
