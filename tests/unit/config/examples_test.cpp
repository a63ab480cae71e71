#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "agent/config/site.h"

namespace metergate {
namespace {

using testing::IsEmpty;

const std::string kRoot = METERGATE_SOURCES;

std::string content_of(const std::string& path) {
  std::ifstream file(kRoot + path);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The settings of a text: lines of the form `name = value`, indented as Markdown has it, or commented out.
std::string settings_in(const std::string& text, const std::string& before_each) {
  std::string settings;
  std::istringstream lines(text);
  const std::regex setting(before_each + "([a-z-]+ = .*)");
  std::smatch found;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, found, setting)) settings += found[1].str() + "\n";
  }
  return settings;
}

class ExamplesTest : public testing::Test {
 protected:
  ~ExamplesTest() override { std::filesystem::remove(path_); }

  /// Expects that a start with these settings has nothing to say.
  void expect_no_word(std::string settings) {
    const std::string table = "/etc/metergate/meters.csv";
    if (const auto at = settings.find(table); at != std::string::npos)
      settings.replace(at, table.size(), kRoot + "/systemd/examples/meters.csv");
    EXPECT_NE(settings, "");
    std::ofstream(path_) << settings;
    const auto parsed = parse_command_line({"run", "@" + path_}, {});
    if (const auto* wrong = std::get_if<UsageError>(&parsed)) FAIL() << wrong->message;
    const auto& invocation = std::get<Invocation>(parsed);
    EXPECT_THAT(invocation.warnings, IsEmpty());
    const auto made = make_site(invocation.options);
    if (const auto* wrong = std::get_if<UsageError>(&made)) FAIL() << wrong->message;
    EXPECT_THAT(std::get<Site>(made).warnings, IsEmpty());
    EXPECT_FALSE(std::get<Site>(made).buses.empty());
  }

  const std::string path_ = testing::TempDir() + "examples_test." + std::to_string(getpid());
};

TEST_F(ExamplesTest, OfTheReadmeGiveNoWarning) { expect_no_word(settings_in(content_of("/README.md"), "    ")); }

TEST_F(ExamplesTest, OfTheInstalledFlagsGiveNoWarning) {
  expect_no_word(settings_in(content_of("/systemd/flags"), "#"));
}

TEST_F(ExamplesTest, InFilesOfTheirOwnGiveNoWarning) {
  expect_no_word(content_of("/systemd/examples/tls.flags"));
  expect_no_word(content_of("/systemd/examples/table.flags"));
}

}  // namespace
}  // namespace metergate
