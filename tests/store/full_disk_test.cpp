#include <filesystem>

#include "tests/store/store_fixture.h"
#include "tests/store/watched_vfs.h"

namespace metergate {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::Not;

/// A disk that ends long before the store's cap.
class FullDiskTest : public StoreTest {
 protected:
  /// Counts against the same disk as SQLite's files.
  class SmallFileSystem final : public FileSystem {
   public:
    explicit SmallFileSystem(FullDiskTest& test) : test_(test) {}
    Status rename(const std::string& from, const std::string& to) override { return real_->rename(from, to); }
    Status remove(const std::string& path) override { return real_->remove(path); }
    Status sync_folder(const std::string& path) override { return real_->sync_folder(path); }
    Status allocate(const std::string& path, std::int64_t bytes) override {
      if (!test_.fits(path, bytes)) return Error{Errc::kFull, "no space left"};
      return real_->allocate(path, bytes);
    }

   private:
    FullDiskTest& test_;
    std::unique_ptr<FileSystem> real_ = posix_file_system();
  };

  FullDiskTest() {
    settings_.vfs = "small";
    settings_.max_bytes = 32 << 20;
    file_system_ = std::make_unique<SmallFileSystem>(*this);
    vfs_.judge = [this](const FileOperation& operation) {
      const std::int64_t end = operation.offset + static_cast<std::int64_t>(operation.bytes.size());
      const bool write = operation.kind == FileOperation::Kind::kWrite;
      return !write || fits(operation.path, end) ? WatchedVfs::Verdict::kDone : WatchedVfs::Verdict::kNoSpace;
    };
  }

  ~FullDiskTest() override { store_.reset(); }  // before its VFS

  bool fits(const std::string& path, std::int64_t size) {
    std::error_code error;
    const auto now = static_cast<std::int64_t>(fs::file_size(path, error));
    const std::int64_t growth = size - (error ? 0 : now);
    if (growth <= 0 || folder_.bytes() + others_ + growth <= disk_) return true;
    ++refused_;
    return false;
  }
  void fill(int count) {
    for (int i = 0; i < count; ++i) {
      append(reading("r" + std::string(1000, 'x')));
      if (i % 50 == 49) pass(settings_.commit_every);
    }
    pass(settings_.commit_every);
  }

  WatchedVfs vfs_{"small"};
  std::int64_t disk_ = 10 << 20, others_ = 0;
  int refused_ = 0;
};

TEST_F(FullDiskTest, GoesOnWithTheRoomThatItHasAndTellsWhatItDropped) {
  open();
  fill(12000);
  ASSERT_GT(refused_, 0) << "the disk was never full";
  const StoreState full = store_->state();
  EXPECT_TRUE(full.disk_full);
  EXPECT_FALSE(full.failing);
  EXPECT_EQ(full.readings_lost, 0);
  EXPECT_GT(full.lanes[0].dropped, 1000);
  EXPECT_EQ(full.lanes[0].waiting + full.lanes[0].dropped, 12000);
  EXPECT_EQ(rows(Lane::kReadings).back().seq, 12000);
  EXPECT_THAT(folder_.files(), Not(Contains("store.db.ballast")));
  // A command is taken and answered.
  store_->complete(admit("c1").key, result("answer"));
  EXPECT_EQ(bodies(Lane::kResults).back(), "answer");
  restart();
  EXPECT_EQ(rows(Lane::kReadings).back().seq, 12000);
  EXPECT_EQ(admit("c1").known, Known::kDone);
}

TEST_F(FullDiskTest, TakesCommandsAlsoWhenItWasYoungWhenTheDiskBecameFull) {
  open();
  fill(20);
  disk_ = folder_.bytes();
  fill(2000);
  ASSERT_TRUE(store_->state().disk_full);
  EXPECT_FALSE(store_->only_reserve_left());
  store_->complete(admit("c1").key, result("answer"));
  EXPECT_EQ(bodies(Lane::kResults).back(), "answer");
  EXPECT_EQ(store_->state().readings_lost, 0);
}

TEST_F(FullDiskTest, TakesItsRoomAgainWhenTheDiskHasSome) {
  open();
  fill(12000);
  ASSERT_TRUE(store_->state().disk_full);
  disk_ = 64 << 20;
  pass(std::chrono::minutes(2));
  EXPECT_FALSE(store_->state().disk_full);
  EXPECT_THAT(folder_.files(), Contains("store.db.ballast"));
  const std::int64_t dropped = store_->state().lanes[0].dropped;
  fill(5000);
  EXPECT_EQ(store_->state().lanes[0].dropped, dropped);
}

TEST_F(FullDiskTest, OpensOnADiskThatIsFullAlready) {
  open();
  fill(500);
  close();
  fs::remove(folder_ / "store.db.ballast");
  others_ = disk_ - folder_.bytes() - (300 << 10);
  open();
  EXPECT_TRUE(store_->state().disk_full);
  fill(200);
  EXPECT_EQ(rows(Lane::kReadings).back().epoch, "e2");
}

TEST_F(FullDiskTest, RemovesOlderQuarantinedFilesButNotTheNewest) {
  for (int i = 0; i < 3; ++i) {
    open();
    fill(200);
    close();
    fs::resize_file(settings_.path, 100);
  }
  open();
  ASSERT_THAT(folder_.files(), Contains("store.db.corrupt-2"));
  fill(12000);
  EXPECT_THAT(folder_.files(), Not(Contains("store.db.corrupt-2")));
  EXPECT_THAT(folder_.files(), Contains("store.db.corrupt-3"));
}

TEST_F(FullDiskTest, DeletesDeliveredRecordsInTimeAlsoWhenTheMarkOfTheirDeliveryDidNotFitAtFirst) {
  settings_.keep_sent = std::chrono::hours(64);  // a mark an hour
  open();
  append_committed(reading("a"));
  deliver(Lane::kReadings, rows(Lane::kReadings).back().key);
  int refused = 0;
  vfs_.judge = [&](const FileOperation& operation) {
    const bool wal = operation.path.size() > 4 && operation.path.substr(operation.path.size() - 4) == "-wal";
    const bool first = operation.kind == FileOperation::Kind::kWrite && wal && refused == 0;
    if (first) ++refused;
    return first ? WatchedVfs::Verdict::kNoSpace : WatchedVfs::Verdict::kDone;
  };
  pass(std::chrono::hours(2));
  ASSERT_EQ(refused, 1);
  pass(std::chrono::hours(64));
  EXPECT_THAT(bodies(Lane::kReadings), ::testing::IsEmpty());
}

TEST_F(FullDiskTest, CountsCommandsThatFindNoRoomOnTheDiskSoThatAKillLosesNone) {
  open();
  disk_ = folder_.bytes();
  for (int i = 0; i < 300; ++i) {
    append(result(std::string(10000, 'r')));
    pass(settings_.commit_every);
  }
  ASSERT_TRUE(store_->state().disk_full);
  int refused = 0;
  int unknown = 0;
  for (int i = 0; i < 2000 && refused < 20; ++i) {
    const auto admitted = store_->admit(command("c" + std::to_string(i)), result(std::string(900, 'x')));
    if (!admitted) ++(admitted.error().code == Errc::kFull ? refused : unknown);
  }
  EXPECT_LE(unknown, 1) << "a command had to wait behind what does not fit";
  ASSERT_GT(refused, 10);
  crash();
  disk_ = 64 << 20;
  open();
  pass(std::chrono::minutes(2));
  EXPECT_THAT(bodies(Lane::kEvents), Contains(::testing::StartsWith("refused " + std::to_string(refused) + " ")));
}

TEST_F(FullDiskTest, CountsALargeCommandThatTheWalHasNoRoomFor) {
  open();
  append_committed(reading("a"));
  constexpr std::int64_t kFrames = 6;
  vfs_.judge = [](const FileOperation& operation) {
    const std::string& path = operation.path;
    const bool wal = path.size() > 4 && path.compare(path.size() - 4, 4, "-wal") == 0;
    const bool far = operation.kind == FileOperation::Kind::kWrite && operation.offset > kFrames * (4096 + 24);
    return wal && far ? WatchedVfs::Verdict::kNoSpace : WatchedVfs::Verdict::kDone;
  };
  StoredCommand large = command("large");
  large.body = std::string(60000, 'x');
  steps_a_wake_ = 3;
  const auto admitted = store_->admit(large, std::nullopt);
  ASSERT_FALSE(admitted);
  EXPECT_EQ(admitted.error().code, Errc::kFull) << admitted.error().detail;
  crash();
  vfs_.judge = nullptr;
  open();
  pass(std::chrono::minutes(2));
  EXPECT_THAT(bodies(Lane::kEvents), Contains("refused 1 large"));
}

}  // namespace
}  // namespace metergate
