#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "tests/store/crash_disk.h"
#include "tests/store/store_fixture.h"

namespace metergate {
namespace {

namespace fs = std::filesystem;
using Kind = FileOperation::Kind;

/// Records what the store does to its files while it works, and looks at every disk that a loss of power could leave.
class CrashTest : public StoreTest {
 protected:
  /// What was acknowledged so far; each line of the log may add to it.
  struct Promises {
    std::map<std::string, std::string> rows;        // id to bytes, of what was handed out
    std::map<std::string, std::int64_t> delivered;  // epoch/lane to number
    std::set<std::string> admitted, started, answered;
    std::map<std::string, std::string> values;  // by key; texts that only grow
    bool begun = false;
  };
  struct Event {
    std::function<void(CrashDisk&)> disk;
    std::function<void(Promises&)> promise;
  };

  class RecordedFileSystem final : public FileSystem {
   public:
    explicit RecordedFileSystem(CrashTest& test) : test_(test) {}
    Status rename(const std::string& from, const std::string& to) override {
      test_.disk([=](CrashDisk& disk) { disk.rename(base(from), base(to)); });
      return real_->rename(from, to);
    }
    Status remove(const std::string& path) override {
      test_.disk([=](CrashDisk& disk) { disk.remove(base(path)); });
      return real_->remove(path);
    }
    Status sync_folder(const std::string& path) override {
      test_.disk([](CrashDisk& disk) { disk.sync_names(); });
      return real_->sync_folder(path);
    }
    Status allocate(const std::string& path, std::int64_t bytes) override { return real_->allocate(path, bytes); }

   private:
    CrashTest& test_;
    std::unique_ptr<FileSystem> real_ = posix_file_system();
  };

  CrashTest() {
    settings_.vfs = "recorded";
    file_system_ = std::make_unique<RecordedFileSystem>(*this);
    vfs_.judge = [this](const FileOperation& operation) {
      disk([operation, name = base(operation.path)](CrashDisk& disk) {
        switch (operation.kind) {
          case Kind::kOpen:
            return disk.open(name);
          case Kind::kWrite:
            return disk.write(name, operation.offset, operation.bytes);
          case Kind::kTruncate:
            return disk.truncate(name, operation.offset);
          case Kind::kSync:
            return disk.sync(name);
          case Kind::kDelete:
            return disk.remove(name);
        }
      });
      return WatchedVfs::Verdict::kDone;
    };
  }
  ~CrashTest() override { store_.reset(); }  // before its VFS

  /// From the environment: what takes long looks at more disks.
  static int knob(const char* name, int otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::atoi(text);
  }
  static std::string base(const std::string& path) { return fs::path(path).filename().string(); }
  void disk(std::function<void(CrashDisk&)> change) { log_of_events_.push_back({std::move(change), nullptr}); }
  void promise(std::function<void(Promises&)> change) { log_of_events_.push_back({nullptr, std::move(change)}); }

  void start() {
    open();
    promise([](Promises& p) { p.begun = true; });
  }
  void look() {
    for (const Lane lane : kAllLanes) {
      for (const Row& row : rows(lane, *store_->delivered_key(lane))) {
        promise([id = id_of(row.bytes), bytes = row.bytes](Promises& p) { p.rows[id] = bytes; });
      }
    }
  }
  void admit_one(const std::string& id, bool answer) {
    const std::int64_t key = admit(id, "b1", true).key;
    promise([id](Promises& p) { p.admitted.insert(id); });
    ASSERT_TRUE(store_->started(key));
    promise([id](Promises& p) { p.started.insert(id); });
    if (!answer) return;
    store_->complete(key, result("answer to " + id));
    promise([id](Promises& p) { p.answered.insert(id); });
  }
  void deliver_some(Lane lane, std::size_t count) {
    const auto waiting = rows(lane, *store_->delivered_key(lane));
    if (waiting.size() < count || count == 0) return;
    const Row& last = waiting[count - 1];
    promise([lane = last.epoch + "/" + lane_name(last.lane), seq = last.seq, epoch = last.epoch](Promises& p) {
      p.delivered[lane] = seq;
    });
    for (const Row& row : waiting) {
      if (row.epoch == last.epoch || row.key > last.key) continue;
      promise([lane = row.epoch + "/" + lane_name(row.lane)](Promises& p) { p.delivered[lane] = 1 << 30; });
    }
    store_->delivered(lane, last.key);
  }
  /// A PUBACK for all that waits, a receipt for the first `count` of it.
  void receive_some(std::size_t count) {
    const auto waiting = rows(Lane::kReadings, *store_->delivered_key(Lane::kReadings));
    if (waiting.size() < count) return;
    store_->sent(Lane::kReadings, waiting.back().key);
    const Row& last = waiting[count - 1];
    promise([lane = last.epoch + "/readings", seq = last.seq](Promises& p) { p.delivered[lane] = seq; });
    const auto done = store_->receipt({last.epoch, Lane::kReadings, last.seq}, waiting.back().key);
    ASSERT_TRUE(done);
  }
  void put_value(const std::string& key, const std::string& text) {
    ASSERT_TRUE(store_->put(key, text));
    promise([key, text](Promises& p) { p.values[key] = text; });
  }
  /// A step of a replay of all readings by time, and its place.
  void replay_some() {
    const auto piece = store_->search(everything(), place_, 4, 1 << 20);
    ASSERT_TRUE(piece);
    place_ = piece->end ? ReplayPlace{} : piece->next;
    replays_ += piece->end ? 1 : 0;
    char text[80];
    std::snprintf(text, sizeof text, "%04d %06lld %09lld %06lld", replays_, static_cast<long long>(place_.epoch),
                  static_cast<long long>(place_.after), static_cast<long long>(place_.seq));
    put_value("replay", text);
  }
  static ReplayWish everything() {
    ReplayWish wish;
    wish.to = UtcTime::max();
    return wish;
  }
  static std::string id_of(const std::string& bytes) { return bytes.substr(0, bytes.find(' ')); }

  void work(int rounds) {
    for (int round = seed_; round < seed_ + rounds; ++round) {
      const std::string name = std::to_string(epochs_) + "." + std::to_string(1000 + round);
      for (int i = 0; i < 1 + round % 7; ++i) append(reading("r" + name + std::string(300, 'x'), i % 2 == 0));
      pass(settings_.commit_every);
      look();
      if (round % 3 == 0) admit_one("c" + name, round % 2 == 0);
      if (round % 4 == 1) put_value("value", name);
      if (round % 4 == 3) replay_some();
      if (round % 5 == 2) append(event("x" + name));
      if (round % 4 == 1) deliver_some(Lane::kReadings, 5);
      if (round % 4 == 3) receive_some(5);
      if (round % 6 == 5) deliver_some(Lane::kResults, 1);
      pass(Millis{2500});
    }
    look();
  }

  /// Looks at the disks after each event from `first` on. Returns how many were looked at; counts those that break a
  /// promise.
  int replay(const std::vector<CrashDisk::Loss>& losses, std::size_t first = 0, std::size_t every = 1) {
    CrashDisk disk;
    Promises promises;
    std::minstd_rand random{static_cast<unsigned>(11 + seed_)};
    int images = 0;
    for (std::size_t i = 0; i < log_of_events_.size(); ++i) {
      const Event& event = log_of_events_[i];
      if (event.disk) event.disk(disk);
      if (event.promise) event.promise(promises);
      if (i < first || i % every != 0) continue;
      for (const CrashDisk::Loss loss : losses) {
        ++images;
        const std::string broken = broken_promise(disk.after(loss, random), promises);
        if (broken.empty()) continue;
        ++broken_;
        first_broken_ = first_broken_.empty() ? "after event " + std::to_string(i) + ": " + broken : first_broken_;
      }
    }
    return images;
  }

  std::string broken_promise(const std::map<std::string, std::string>& files, const Promises& promises) {
    TempFolder folder;
    for (const auto& [name, bytes] : files) std::ofstream(folder / name, std::ios::binary) << bytes;
    StoreSettings settings = settings_;
    settings.vfs.clear();
    settings.path = folder / "store.db";
    settings.keep_sent = std::chrono::hours(1000);
    auto real = posix_file_system();
    auto opened = FileStore::open(settings, plain_format(), *real, clock_, log_);
    if (!opened) return "cannot be opened: " + opened.error().detail;
    std::swap(store_, *opened);  // the fixture's helpers look at this one
    const std::string broken = broken_promise(promises);
    std::swap(store_, *opened);
    return broken;
  }

  std::string broken_promise(const Promises& promises) {
    if (store_->opened().origin == StoreOrigin::kReplaced) return "the file is damaged";
    if (promises.begun && store_->opened().origin != StoreOrigin::kKept) return "the store is gone";
    FileStore::Hooks hooks;
    hooks.work = [this] { store_->step(clock_.mono()); };
    if (!store_->begin("image", event("started"), hooks)) return "cannot begin";
    std::map<std::string, std::string> there;
    for (const Lane lane : kAllLanes) {
      for (const Row& row : rows(lane)) there[id_of(row.bytes)] = row.bytes;
    }
    for (const auto& [id, bytes] : promises.rows) {
      const auto found = there.find(id);
      if (found != there.end() && found->second != bytes) return id + " has other bytes than were sent";
      if (found != there.end()) continue;
      const std::string lane = id.substr(0, id.rfind('/'));
      const std::int64_t seq = std::atoll(id.c_str() + id.rfind('/') + 1);
      const auto delivered = promises.delivered.find(lane);
      if (delivered != promises.delivered.end() && seq <= delivered->second) continue;
      if (!dropped(there, lane, seq)) return id + " is lost";
    }
    for (const std::string& id : promises.admitted) {
      const auto again = store_->admit(command(id), std::nullopt);
      if (!again || again->known == Known::kNew) return "command " + id + " is lost";
    }
    const auto open = store_->open_commands("b1", 0, 1000);
    if (!open) return "open commands cannot be read";
    for (const StoredCommand& each : *open) {
      if (promises.started.count(each.id) != 0 && !each.started)
        return "command " + each.id + " forgot that it was started";
      if (promises.answered.count(each.id) != 0) return "command " + each.id + " is open again";
    }
    for (const auto& [key, text] : promises.values) {
      const auto value = store_->get(key);
      if (!value || value->value_or("") < text) return "the value of " + key + " is lost";
    }
    return broken_replay(promises, there);
  }
  /// A replay from the place that was put accounts for every number behind it, with a record or a reason.
  std::string broken_replay(const Promises& promises, const std::map<std::string, std::string>& there) {
    ReplayPlace place;
    const auto value = store_->get("replay");
    if (value && *value) {
      long long epoch = 0, after = 0, seq = 0;
      std::sscanf((*value)->c_str(), "%*d %lld %lld %lld", &epoch, &after, &seq);
      place = {epoch, after, seq, 0};
    }
    const ReplayPlace begin = place;
    std::set<std::string> accounted;
    for (bool end = false; !end;) {
      const auto piece = store_->search(everything(), place, 1000, 16 << 20);
      if (!piece) return "a replay cannot go on";
      for (const Row& row : piece->rows) {
        const auto found = there.find(id_of(row.bytes));
        if (found == there.end() || found->second != row.bytes) return "a replay sends other bytes";
        accounted.insert(id_of(row.bytes));
      }
      for (const MissingRange& range : piece->missing) {
        for (std::int64_t seq = range.from_seq; seq <= range.to_seq; ++seq)
          accounted.insert(range.epoch + "/readings/" + std::to_string(seq));
      }
      place = piece->next;
      end = piece->end;
    }
    for (const auto& [id, bytes] : promises.rows) {
      if (id.find("/readings/") == std::string::npos) continue;
      const std::int64_t epoch = std::atoll(id.c_str() + 1);  // the first is e1, the second e2
      const std::int64_t seq = std::atoll(id.c_str() + id.rfind('/') + 1);
      const bool behind = epoch > begin.epoch || (epoch == begin.epoch && seq >= begin.seq);
      if (behind && accounted.count(id) == 0) return "a replay says nothing of " + id;
    }
    return {};
  }
  /// Whether a report says that the number was dropped.
  static bool dropped(const std::map<std::string, std::string>& there, const std::string& lane, std::int64_t seq) {
    for (const auto& [id, bytes] : there) {
      char epoch[64], name[64];
      long long from = 0, to = 0;
      const char* text = bytes.c_str() + bytes.find(' ') + 1;
      if (std::sscanf(text, "dropped %63s %63s %lld-%lld", epoch, name, &from, &to) != 4) continue;
      if (std::string(epoch) + "/" + name == lane && from <= seq && seq <= to) return true;
    }
    return false;
  }

  WatchedVfs vfs_{"recorded"};
  std::vector<Event> log_of_events_;
  const int seed_ = knob("METERGATE_CRASH_SEED", 0);  // of another workload and other losses
  ReplayPlace place_;
  int replays_ = 0;
  int broken_ = 0;
  std::string first_broken_;
};

constexpr auto kEveryLoss = {CrashDisk::Loss::kAll, CrashDisk::Loss::kNone, CrashDisk::Loss::kSectors,
                             CrashDisk::Loss::kBlocks};

TEST_F(CrashTest, KeepsEveryPromiseWhateverALossOfPowerLeavesOfTheFiles) {
  settings_.keep_sent = Millis{0};  // purges all the time
  start();
  work(12);
  close();
  start();
  work(12);
  const int images = replay(kEveryLoss, 0, static_cast<std::size_t>(knob("METERGATE_CRASH_EVERY", 3)));
  EXPECT_GT(images, 2000);
  EXPECT_EQ(broken_, 0) << first_broken_;
  std::printf("%d disks after a loss of power\n", images);
}

TEST_F(CrashTest, WouldNoticeAStoreThatDoesNotSyncItsCommits) {
  settings_.unsafe_no_sync = true;
  start();
  work(6);
  replay({CrashDisk::Loss::kAll}, 0, 3);
  EXPECT_GT(broken_, 0);
}

TEST_F(CrashTest, KeepsEveryPromiseWhileRecordsHaveToGo) {
  settings_.max_bytes = 8 << 20;
  start();
  for (int i = 0; i < 110; ++i) {
    append(reading("l" + std::string(60000, 'x'), false));
    if (i % 3 == 2) pass(settings_.commit_every);
  }
  pass(settings_.commit_every);
  const std::size_t full = log_of_events_.size();
  for (int i = 0; i < 8; ++i) {
    append(reading("h" + std::string(40000, 'x'), true));
    pass(settings_.commit_every);
    look();
  }
  ASSERT_GT(store_->state().lanes[0].dropped, 3);
  const int images = replay({CrashDisk::Loss::kAll, CrashDisk::Loss::kBlocks}, full, 12);
  std::printf("%d disks after a loss of power\n", images);
  EXPECT_EQ(broken_, 0) << first_broken_;
}

}  // namespace
}  // namespace metergate
