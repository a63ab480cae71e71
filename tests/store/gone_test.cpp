#include <filesystem>

#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

namespace fs = std::filesystem;

/// The store's files are taken away under the running agent.
class GoneTest : public StoreTest {
 protected:
  void start() {
    open();
    append_committed(reading("a"));
    pass(std::chrono::minutes(5));
    ASSERT_FALSE(ended_);
  }
  void expect_the_end_within_a_minute() {
    pass(std::chrono::minutes(1));
    EXPECT_TRUE(ended_);
    const auto refused = store_->admit(command("c1"), std::nullopt);
    ASSERT_FALSE(refused) << "a command was taken that no file holds";
    EXPECT_EQ(refused.error().code, Errc::kCorrupt);
  }
};

TEST_F(GoneTest, EndsTheRunWithinAMinuteWhenTheFileIsDeleted) {
  start();
  fs::remove(settings_.path);
  expect_the_end_within_a_minute();
  store_.reset();
  ended_ = false;
  open();
  EXPECT_EQ(store_->opened().origin, StoreOrigin::kNew);
  EXPECT_FALSE(store_->opened().previous);
}

TEST_F(GoneTest, EndsTheRunWithinAMinuteWhenAnotherFileTakesItsPlace) {
  start();
  append_committed(reading("b"));
  for (const char* suffix : {"", "-wal"}) {
    fs::copy_file(settings_.path + suffix, folder_ / "copy");
    fs::rename(folder_ / "copy", settings_.path + suffix);
  }
  expect_the_end_within_a_minute();
  store_.reset();
  ended_ = false;
  open();
  EXPECT_EQ(store_->opened().origin, StoreOrigin::kKept) << "the other file was not left as it was";
  EXPECT_EQ(bodies(Lane::kReadings).size(), 2u);
}

TEST_F(GoneTest, EndsTheRunWithinAMinuteWhenTheWalIsDeleted) {
  start();
  fs::remove(settings_.path + "-wal");
  expect_the_end_within_a_minute();
}

TEST_F(GoneTest, NoticesItAlsoWhenNothingIsWritten) {
  start();
  fs::remove(settings_.path);
  const MonoTime next = store_->step(clock_.mono());
  EXPECT_LE(next - clock_.mono(), std::chrono::minutes(1));
  pass(std::chrono::minutes(1));
  EXPECT_TRUE(ended_);
}

}  // namespace
}  // namespace metergate
