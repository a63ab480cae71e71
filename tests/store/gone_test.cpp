#include <filesystem>

#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

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

TEST_F(GoneTest, NamesTheLastEpochOfAStoreThatIsGoneUntilThatIsTold) {
  open();
  EXPECT_EQ(store_->opened().gone_epoch, "");
  store_->gone_is_told("e1");
  close();
  fs::remove(settings_.path);
  for (int start = 0; start < 2; ++start) {
    open();
    EXPECT_EQ(store_->opened().gone_epoch, "e1") << "nobody has told it";
    close();
  }
  open();
  store_->gone_is_told("e4");
  restart();
  EXPECT_EQ(store_->opened().gone_epoch, "");
}

TEST_F(GoneTest, NamesTheLastEpochWhenAnOlderCopyOfTheStoreIsPutBack) {
  open();
  store_->gone_is_told("e1");
  close();
  fs::copy_file(settings_.path, folder_ / "backup");
  open();
  store_->gone_is_told("e2");
  close();
  fs::rename(folder_ / "backup", settings_.path);
  fs::remove(settings_.path + "-wal");
  open();
  EXPECT_EQ(store_->opened().origin, StoreOrigin::kKept);
  EXPECT_EQ(store_->opened().gone_epoch, "e2");
}

TEST_F(GoneTest, MissesNoStoreAfterAStartThatDiedBeforeItNotedItsEpoch) {
  open();
  store_->gone_is_told("e1");
  restart();
  crash();
  open();
  EXPECT_EQ(store_->opened().gone_epoch, "");
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

TEST_F(GoneTest, EndsTheRunWithinAMinuteWhenTheWalIsDeletedAndKeepsWhatItHeld) {
  start();
  fs::remove(settings_.path + "-wal");
  append_committed(reading("b"));
  expect_the_end_within_a_minute();
  store_.reset();
  ended_ = false;
  open();
  EXPECT_EQ(store_->opened().origin, StoreOrigin::kKept);
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a", "b"));
}

TEST_F(GoneTest, NoticesItWheneverItHappensAlsoWhenNothingIsWritten) {
  for (int seconds = 0; seconds < 60; seconds += 7) {
    settings_.path = folder_ / ("store" + std::to_string(seconds));
    ended_ = false;
    open();
    pass(std::chrono::seconds(seconds));
    fs::remove(settings_.path);
    pass(std::chrono::seconds(59));
    EXPECT_TRUE(ended_) << seconds;
    store_.reset();
  }
}

}  // namespace
}  // namespace metergate
