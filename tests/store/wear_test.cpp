#include "tests/store/store_fixture.h"
#include "tests/store/watched_vfs.h"

namespace metergate {
namespace {

/// What the flash has to take: counted as the store asks for it, without the file system's own share.
class WearTest : public StoreTest {
 protected:
  WearTest() {
    settings_.vfs = "counted";
    vfs_.judge = [this](const FileOperation& operation) {
      if (operation.kind == FileOperation::Kind::kSync) ++syncs_;
      bytes_ += static_cast<std::int64_t>(operation.bytes.size());
      return WatchedVfs::Verdict::kDone;
    };
  }
  ~WearTest() override { store_.reset(); }  // before its VFS

  WatchedVfs vfs_{"counted"};
  std::int64_t syncs_ = 0, bytes_ = 0;
};

TEST_F(WearTest, CostsOneSyncACommit) {
  open();
  append(event("first"));
  syncs_ = 0;
  for (int i = 0; i < 20; ++i) append(event("x"));
  EXPECT_EQ(syncs_, 20);
}

TEST_F(WearTest, WritesLittleForReadingsThatAreCommittedTogether) {
  open();
  bytes_ = 0;
  for (int i = 0; i < 100 * 100; ++i) {
    append(reading(std::string(200, 'x')));
    if (i % 100 == 99) pass(settings_.commit_every);
  }
  EXPECT_LT(bytes_ / (100 * 100), 1000) << "bytes written for a reading of 200";
}

TEST_F(WearTest, WritesTheRunningTimeOnceAnHourWhileNothingHappens) {
  open();
  append_committed(reading("a"));
  deliver(Lane::kReadings, 1000);
  pass(std::chrono::hours(3));
  bytes_ = 0;
  pass(std::chrono::hours(10));
  EXPECT_LT(bytes_ / 10, 15000);
}

}  // namespace
}  // namespace metergate
