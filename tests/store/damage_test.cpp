#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <set>

#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

constexpr int kReadings = 3000;
constexpr int kPage = 4096;

/// A store with something of everything, whose file is then damaged.
class DamageTest : public StoreTest {
 protected:
  void fill() {
    open();
    ASSERT_TRUE(store_->add_catalog("aaaaaaaa", "catalog A"));
    ASSERT_TRUE(store_->put("main.serial", "123"));
    for (int i = 0; i < kReadings; ++i) {
      append(reading("reading " + std::to_string(i) + std::string(300, 'x'), i % 2 == 0));
      if (i % 200 == 199) pass(settings_.commit_every);
    }
    for (int i = 0; i < 50; ++i) store_->complete(admit("done" + std::to_string(i)).key, result("answer"));
    admit("open1");
    admit("open2", "b2", true);
    append(event("x"));
    pass(settings_.commit_every);
    for (const Lane lane : kAllLanes) {
      for (Row& row : rows(lane)) written_.insert(row.bytes);
    }
    deliver(Lane::kReadings, rows(Lane::kReadings)[999].key);
    last_key_ = rows(Lane::kEvents).back().key;
  }
  void write_at(std::int64_t offset, const std::string& bytes) {
    std::fstream file(settings_.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file << bytes;
  }
  std::string garbage(std::size_t size) {
    std::string bytes(size, 0);
    for (char& c : bytes) c = static_cast<char>(random_());
    return bytes;
  }
  std::int64_t size() { return static_cast<std::int64_t>(fs::file_size(settings_.path)); }

  /// Whatever is there must be as it was written, and only what the store counts is there.
  void expect_only_what_was_written() {
    for (const Lane lane : kAllLanes) {
      std::int64_t found = 0;
      for (const Row& row : rows(lane)) {
        if (row.epoch == "e" + std::to_string(epochs_)) continue;
        if (row.bytes.find(" started") != std::string::npos) written_.insert(row.bytes);
        EXPECT_EQ(written_.count(row.bytes), 1u) << row.bytes;
        ++found;
      }
      EXPECT_EQ(found, store_->opened().saved[static_cast<std::size_t>(lane)]);
    }
  }
  void expect_everything_saved() {
    EXPECT_THAT(store_->opened().saved, ElementsAre(kReadings, 50, 2));
    EXPECT_TRUE(store_->opened().commands_saved);
    EXPECT_EQ(admit("done7").known, Known::kDone);
    EXPECT_EQ(admit("open1").known, Known::kOpen);
    EXPECT_EQ(store_->open_commands("b2", 0, 9)->size(), 1u);
    EXPECT_EQ(*store_->get("main.serial"), "123");
    EXPECT_EQ(*store_->catalog("aaaaaaaa"), "catalog A");
    EXPECT_TRUE(*store_->knows_epoch("e1"));
    EXPECT_EQ(store_->state().lanes[0].waiting, kReadings - 1000);
  }
  void expect_quarantined(const std::string& name) {
    EXPECT_EQ(store_->opened().origin, StoreOrigin::kReplaced);
    EXPECT_EQ(store_->opened().quarantined, name);
    EXPECT_THAT(folder_.files(), Contains(name));
    EXPECT_THAT(folder_.files(), Not(Contains("store.db.damaged")));
    EXPECT_THAT(folder_.files(), Not(Contains("store.db.new")));
  }
  void expect_it_works() {
    append_committed(reading("after"));
    restart();
    EXPECT_EQ(store_->opened().origin, StoreOrigin::kKept);
    const auto found = rows(Lane::kReadings);
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.back().bytes, "e2/readings/1 after");
    EXPECT_GT(found.back().key, last_key_) << "a key was given twice";
  }

  std::minstd_rand random_{7};
  std::set<std::string> written_;
  std::int64_t last_key_ = 0;
};

TEST_F(DamageTest, SavesEverythingThoughTheHeaderIsGarbled) {
  fill();
  close();
  write_at(0, garbage(100));
  open();
  expect_quarantined("store.db.corrupt-1");
  expect_everything_saved();
  expect_only_what_was_written();
  expect_it_works();
}

TEST_F(DamageTest, SavesEverythingThoughTheFirstPageIsGarbled) {
  fill();
  close();
  write_at(0, garbage(kPage));
  open();
  expect_quarantined("store.db.corrupt-1");
  expect_everything_saved();
  expect_it_works();
}

TEST_F(DamageTest, TellsAgainAndAgainThatItIsBusyWhileItSaves) {
  int told = 0;
  settings_.busy = [&] { ++told; };
  fill();
  close();
  EXPECT_EQ(told, 0);
  write_at(0, garbage(kPage));
  open();
  EXPECT_GE(told, kReadings / 100);
}

TEST_F(DamageTest, WritesTheWalBackWhileItSavesSoThatItStaysSmall) {
  std::uintmax_t largest = 0;
  settings_.busy = [&] {
    std::error_code none;
    const std::uintmax_t size = fs::file_size(settings_.path + ".new-wal", none);
    if (!none) largest = std::max(largest, size);
  };
  fill();
  for (int i = 0; i < 3 * kReadings; ++i) {
    append(reading(std::string(2000, 'x')));
    if (i % 50 == 49) pass(settings_.commit_every);
  }
  close();
  write_at(0, garbage(kPage));
  open();
  const std::int64_t upto = 250 * kPage;
  EXPECT_GT(size(), 4 * upto);
  EXPECT_GT(largest, upto / 2) << "the file that is looked at is another one";
  EXPECT_LT(largest, upto + upto / 2);
}

TEST_F(DamageTest, TellsTheEpochBeforeButNotItsLastNumbers) {
  fill();
  close();
  write_at(0, garbage(kPage));
  open();
  ASSERT_TRUE(store_->opened().previous);
  EXPECT_EQ(store_->opened().previous->epoch, "e1");
  EXPECT_THAT(store_->opened().previous->numbers.last, ElementsAre(std::nullopt, std::nullopt, std::nullopt));
}

TEST_F(DamageTest, FindsGarbledPagesWhenItComesToThemAndEndsTheRun) {
  fill();
  close();
  const std::int64_t pages = size() / kPage;
  for (const std::int64_t page : {pages / 2, pages / 3, pages - 1}) write_at(page * kPage, garbage(kPage));
  open();
  if (store_->opened().origin == StoreOrigin::kKept) {
    std::int64_t after = 0;
    Status read;
    while (read) {
      auto batch = store_->peek(Lane::kReadings, after, 100, 1 << 20);
      if (!batch) read = batch.error();
      if (batch && batch->rows.empty()) break;
      if (batch) after = batch->rows.back().key;
    }
    ASSERT_FALSE(read) << "the garbled pages were not read";
    EXPECT_EQ(read.error().code, Errc::kCorrupt);
    EXPECT_TRUE(ended_);
    EXPECT_EQ(store_->step(clock_.mono()), MonoTime::max());
    EXPECT_EQ(store_->admit(command("c"), std::nullopt).error().code, Errc::kCorrupt);
    crash();
    open();
  }
  expect_quarantined("store.db.corrupt-1");
  expect_only_what_was_written();
  EXPECT_GT(store_->opened().saved[0], kReadings - 200);
}

TEST_F(DamageTest, NeverSendsARecordWhoseBytesWereChanged) {
  fill();
  close();
  // In the middle of texts, where SQLite itself sees nothing wrong.
  std::string file;
  {
    std::ifstream in(settings_.path, std::ios::binary);
    file.assign(std::istreambuf_iterator<char>(in), {});
  }
  int changed = 0;
  for (std::size_t at = file.find("xxxxxxxxxxxxxxxx", file.size() / 2); changed < 5;
       at = file.find("xxxxxxxx", at + 90000)) {
    ASSERT_NE(at, std::string::npos);
    write_at(static_cast<std::int64_t>(at) + 2, "y");
    ++changed;
  }
  open();
  Status read;
  std::int64_t after = 0;
  while (read) {
    auto batch = store_->peek(Lane::kReadings, after, 100, 1 << 20);
    if (!batch) read = batch.error();
    if (batch && batch->rows.empty()) break;
    if (batch) after = batch->rows.back().key;
  }
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::kCorrupt);
  crash();
  open();
  expect_quarantined("store.db.corrupt-1");
  EXPECT_EQ(store_->opened().saved[0], kReadings - 5);
  EXPECT_TRUE(store_->opened().commands_saved);
  expect_only_what_was_written();
}

TEST_F(DamageTest, SavesWhatIsLeftOfATruncatedFile) {
  fill();
  close();
  fs::resize_file(settings_.path, fs::file_size(settings_.path) / 2);
  open();
  expect_quarantined("store.db.corrupt-1");
  expect_only_what_was_written();
  EXPECT_GT(store_->opened().saved[0], kReadings / 4);
  expect_it_works();
}

TEST_F(DamageTest, BeginsAnewWhenTheFileIsEmpty) {
  fill();
  close();
  fs::resize_file(settings_.path, 0);
  open();
  expect_quarantined("store.db.corrupt-1");
  EXPECT_THAT(store_->opened().saved, ElementsAre(0, 0, 0));
  EXPECT_FALSE(store_->opened().commands_saved);
  EXPECT_FALSE(store_->opened().previous);
}

TEST_F(DamageTest, BeginsAnewWhenTheFileIsSomethingElse) {
  std::ofstream(settings_.path, std::ios::binary) << garbage(100000);
  open();
  expect_quarantined("store.db.corrupt-1");
  append_committed(reading("a"));
  EXPECT_THAT(bodies(Lane::kReadings), ElementsAre("a"));
}

TEST_F(DamageTest, SurvivesAForeignWalBesideItsFile) {
  fill();
  crash();
  const std::string other = settings_.path;
  settings_.path = folder_ / "other.db";
  epochs_ = 10;
  open();
  for (int i = 0; i < 300; ++i) append(reading("foreign" + std::string(200, 'f')));
  pass(settings_.commit_every);
  crash();
  fs::copy_file(settings_.path + "-wal", other + "-wal", fs::copy_options::overwrite_existing);
  settings_.path = other;
  // A WAL that fits by chance is taken for its own: then checks along the way must find what does not fit.
  for (int i = 0; i < 5; ++i) {
    auto opened = try_open();
    ASSERT_TRUE(opened) << opened.error().detail;
    store_ = std::move(*opened);
    ended_ = false;
    begin("f" + std::to_string(i));
    bool read = true;
    for (const Lane lane : kAllLanes) {
      std::int64_t after = 0;
      while (read) {
        auto batch = store_->peek(lane, after, 100, 1 << 20);
        read = static_cast<bool>(batch);
        if (!batch || batch->rows.empty()) break;
        after = batch->rows.back().key;
      }
    }
    if (read) break;
    EXPECT_TRUE(ended_);
    crash();
    ASSERT_LT(i, 4) << "the store does not come to rest";
  }
  // Two stores' rows may now lie side by side; what comes behind them is as it should be.
  append_committed(reading("after"));
  const auto batch = store_->peek(Lane::kReadings, 0, 1 << 20, 1 << 30);
  ASSERT_TRUE(batch);
  EXPECT_THAT(batch->rows.back().bytes, ::testing::MatchesRegex("f./readings/1 after"));
}

TEST_F(DamageTest, WorksOnWithoutTheWalThatSomebodyRemoved) {
  fill();
  crash();
  fs::remove(settings_.path + "-wal");
  open();
  append_committed(reading("after"));
  EXPECT_EQ(rows(Lane::kReadings).back().bytes, "e2/readings/1 after");
}

TEST_F(DamageTest, SavesWhatOnlyTheWalHolds) {
  fill();
  append_committed(reading("in the WAL"));
  written_.insert(rows(Lane::kReadings).back().bytes);
  crash();
  write_at(0, garbage(kPage));
  open();
  if (store_->opened().origin == StoreOrigin::kReplaced) expect_only_what_was_written();
  const auto found = bodies(Lane::kReadings);
  EXPECT_THAT(found, Contains("in the WAL"));
}

TEST_F(DamageTest, RefusesToRepairAnotherGatewaysStore) {
  fill();
  close();
  write_at(0, garbage(kPage));
  settings_.gateway = "g2";
  auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kInvalid);
}

TEST_F(DamageTest, TellsTheRepairUntilAnEpochHasBegun) {
  fill();
  close();
  write_at(0, garbage(kPage));
  { ASSERT_TRUE(try_open()); }
  open();
  EXPECT_EQ(store_->opened().origin, StoreOrigin::kReplaced);
  EXPECT_EQ(store_->opened().quarantined, "store.db.corrupt-1");
  restart();
  EXPECT_EQ(store_->opened().origin, StoreOrigin::kKept);
}

TEST_F(DamageTest, NumbersTheQuarantinedFilesAndKeepsTheNewestOnes) {
  for (int i = 1; i <= 7; ++i) {
    open();
    close();
    write_at(0, garbage(kPage));
  }
  open();
  expect_quarantined("store.db.corrupt-7");
  EXPECT_THAT(folder_.files(), Not(Contains("store.db.corrupt-2")));
}

/// Stops at a certain file operation for good, as a process that dies there.
class DyingFileSystem final : public FileSystem {
 public:
  explicit DyingFileSystem(int alive) : alive_(alive), real_(posix_file_system()) {}
  Status rename(const std::string& from, const std::string& to) override {
    return dead() ? failed() : real_->rename(from, to);
  }
  Status remove(const std::string& path) override { return dead() ? failed() : real_->remove(path); }
  Status sync_folder(const std::string& path) override { return dead() ? failed() : real_->sync_folder(path); }
  Status allocate(const std::string& path, std::int64_t bytes) override {
    return dead() ? failed() : real_->allocate(path, bytes);
  }
  bool died() const { return alive_ < 0; }

 private:
  bool dead() { return alive_ < 0 || alive_-- == 0; }
  static Status failed() { return Error{Errc::kStorage, "dead"}; }
  int alive_;
  std::unique_ptr<FileSystem> real_;
};

TEST_F(DamageTest, FinishesARepairThatWasInterruptedAnywhere) {
  fill();
  crash();
  write_at(0, garbage(100));
  const std::string kept = folder_ / "kept";
  fs::create_directory(kept);
  for (const char* suffix : {"", "-wal"}) fs::copy_file(settings_.path + suffix, kept + "/store.db" + suffix);
  int operations = 0;
  for (bool died = true; died; ++operations) {
    for (const std::string& name : folder_.files()) {
      if (name != "kept") fs::remove(folder_ / name);
    }
    for (const auto& entry : fs::directory_iterator(kept)) {
      fs::copy_file(entry.path(), folder_ / entry.path().filename().string());
    }
    {
      DyingFileSystem files(operations);
      auto opened = FileStore::open(settings_, plain_format(), files, clock_, log_);
      died = files.died();
    }
    epochs_ = 1;
    open();
    if (store_->opened().origin == StoreOrigin::kReplaced) {
      expect_quarantined("store.db.corrupt-1");
      expect_everything_saved();
    }
    EXPECT_EQ(rows(Lane::kReadings).size(), static_cast<std::size_t>(kReadings)) << "died at operation " << operations;
    crash();
  }
  EXPECT_GT(operations, 4);
}

}  // namespace
}  // namespace metergate
