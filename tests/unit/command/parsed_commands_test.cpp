#include "agent/command/parsed_commands.h"

#include <gtest/gtest.h>

#include <string>

namespace metergate {
namespace {

ParsedCommands::Parsed parsed(const std::string& id) {
  ParsedCommands::Parsed out;
  out.command.id = id;
  return out;
}

TEST(ParsedCommandsTest, GivesEachCommandOnceByItsKey) {
  ParsedCommands commands;
  commands.put(7, parsed("a"));
  commands.put(9, parsed("b"));
  const auto b = commands.take(9);
  ASSERT_TRUE(b);
  EXPECT_EQ(b->command.id, "b");
  EXPECT_FALSE(commands.take(9));
  EXPECT_TRUE(commands.take(7));
}

TEST(ParsedCommandsTest, KeepsTheNewest64) {
  ParsedCommands commands;
  for (int key = 1; key <= 65; ++key) commands.put(key, parsed(std::to_string(key)));
  EXPECT_FALSE(commands.take(1));
  EXPECT_TRUE(commands.take(2));
  EXPECT_TRUE(commands.take(65));
}

}  // namespace
}  // namespace metergate
