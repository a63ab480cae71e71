#include "agent/base/base64.h"

#include <gmock/gmock.h>

namespace metergate {
namespace {

TEST(Base64, IsThatOfTheStandard) {
  const std::pair<std::string, std::string> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"},
                                                          {std::string("\xff\xfe\x00", 3), "//4A"}};
  for (const auto& [bytes, text] : examples) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(parse_base64(text), bytes);
  }
}

TEST(Base64, TakesNothingElse) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9*", "=Zg="}) {
    EXPECT_EQ(parse_base64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace metergate
