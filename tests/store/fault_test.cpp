#include <map>
#include <set>

#include "tests/store/store_fixture.h"
#include "tests/store/watched_vfs.h"

namespace metergate {
namespace {

/// The same work again and again, while one operation after the other fails.
class FaultTest : public StoreTest {
 protected:
  FaultTest() {
    settings_.vfs = "faulty";
    settings_.patience = Millis{1};
    vfs_.judge = [this](const FileOperation&) {
      const std::int64_t number = count_++;
      return number < first_bad_ || number >= last_bad_ ? WatchedVfs::Verdict::kDone : WatchedVfs::Verdict::kFails;
    };
  }

  ~FaultTest() override { store_.reset(); }  // before its VFS

  void look() {
    for (const Lane lane : kAllLanes) {
      std::int64_t after = *store_->delivered_key(lane);
      while (true) {
        auto batch = store_->peek(lane, after, 5, 1 << 20);
        if (!batch || batch->rows.empty()) break;
        for (const Row& row : batch->rows) note(row);
        if (lane == Lane::kReadings) to_deliver_ = batch->rows.front().key;
        after = batch->rows.back().key;
      }
    }
  }
  void note(const Row& row) {
    const std::string id = row.bytes.substr(0, row.bytes.find(' '));
    const auto [known, is_new] = seen_.emplace(id, row.bytes);
    EXPECT_EQ(known->second, row.bytes) << "one id, two contents";
    if (!is_new) return;
    const std::string body = row.bytes.substr(row.bytes.find(' ') + 1);
    EXPECT_TRUE(bodies_.emplace(body).second || body == "started") << body << " was numbered twice, now as " << id;
  }
  /// True if the store could be opened.
  bool start() {
    auto opened = try_open();
    if (!opened) {
      EXPECT_NE(opened.error().code, Errc::kCorrupt) << opened.error().detail;
      return false;
    }
    store_ = std::move(*opened);
    EXPECT_NE(store_->opened().origin, StoreOrigin::kReplaced);
    FileStore::Hooks hooks;
    hooks.work = [this] { store_->step(clock_.mono()); };
    hooks.ended = [this] { ended_ = true; };
    if (store_->begin("e" + std::to_string(++epochs_), event("started"), hooks)) return true;
    store_.reset();
    return false;
  }
  void work() {
    for (int round = 0; round < 4; ++round) {
      const std::string name = std::to_string(epochs_) + "." + std::to_string(round);
      for (int i = 0; i < 8; ++i)
        put(reading("r" + name + "." + std::to_string(i) + std::string(500, 'x'), i % 2 == 0));
      pass(settings_.commit_every);
      put(event("x" + name));
      const auto admitted = store_->admit(command("c" + name, "b1", true), std::nullopt);
      if (admitted) {
        admitted_.insert("c" + name);
        const Status started = store_->started(admitted->key);
        if (started) started_.insert("c" + name);
        if (round % 2 == 0) {
          store_->complete(admitted->key, result("a" + name));
          appended_.insert("a" + name);
        }
      }
      if (store_->put("value", name)) value_ = name;
      store_->dead_letter("t", "why", "bytes", clock_.utc());
      look();
      store_->delivered(Lane::kReadings, to_deliver_);
      pass(Millis{1500});
    }
  }
  void put(const Draft& draft) {
    appended_.insert(draft.body);
    append(draft);
  }
  /// All of it, with operations first..last failing; then the disk works again.
  void run_with(std::int64_t first, std::int64_t last, bool killed) {
    count_ = to_deliver_ = 0;
    first_bad_ = first;
    last_bad_ = last;
    if (start()) work();
    const std::int64_t done = count_;
    first_bad_ = last_bad_ = 1LL << 60;
    if (store_) {
      if (killed) {
        crash();
      } else {
        pass(std::chrono::minutes(3));
        look();
        close();
      }
    }
    EXPECT_FALSE(ended_);
    verify(killed);
    operations_ = done;
  }
  void verify(bool killed) {
    ASSERT_TRUE(start());
    look();
    if (!killed) {
      for (const std::string& body : appended_) EXPECT_EQ(bodies_.count(body), 1u) << body << " is gone";
    }
    std::map<std::string, std::int64_t> last;
    for (const auto& [id, bytes] : seen_) {
      const std::string lane = id.substr(0, id.rfind('/'));
      last[lane] = std::max(last[lane], static_cast<std::int64_t>(std::stoll(id.substr(id.rfind('/') + 1))));
    }
    for (const auto& [lane, number] : last) {
      for (std::int64_t n = 1; n <= number; ++n)
        EXPECT_EQ(seen_.count(lane + "/" + std::to_string(n)), 1u) << lane << n;
    }
    const auto open = store_->open_commands("b1", 0, 100);
    ASSERT_TRUE(open);
    for (const StoredCommand& each : *open) {
      EXPECT_TRUE(each.started || started_.count(each.id) == 0) << each.id;
    }
    for (const std::string& id : admitted_) {
      const auto again = store_->admit(command(id), std::nullopt);
      ASSERT_TRUE(again);
      EXPECT_NE(again->known, Known::kNew) << id << " was acknowledged and is not known";
    }
    EXPECT_GE(store_->get("value")->value_or(""), value_);
    close();
    for (const std::string& name : folder_.files()) std::filesystem::remove(folder_ / name);
    seen_.clear(), bodies_.clear(), appended_.clear(), admitted_.clear(), started_.clear(), value_.clear();
  }

  WatchedVfs vfs_{"faulty"};
  std::int64_t count_ = 0, first_bad_ = 1LL << 60, last_bad_ = 1LL << 60;
  std::int64_t operations_ = 0;
  std::int64_t to_deliver_ = 0;              // a key that was handed out
  std::map<std::string, std::string> seen_;  // id to bytes, whatever was ever handed out
  std::set<std::string> bodies_, appended_, admitted_, started_;
  std::string value_;
};

TEST_F(FaultTest, LosesNothingWhenAnyOneOperationFails) {
  run_with(1LL << 60, 1LL << 60, false);
  const std::int64_t operations = operations_;
  ASSERT_GT(operations, 100);
  for (std::int64_t i = 0; i < operations; ++i) {
    SCOPED_TRACE("operation " + std::to_string(i));
    run_with(i, i + 1, false);
    if (HasFailure()) break;
  }
}

TEST_F(FaultTest, LosesNothingWhenTheDiskFailsFromAnyOperationOnAndWorksAgainLater) {
  run_with(1LL << 60, 1LL << 60, false);
  const std::int64_t operations = operations_;
  for (std::int64_t i = 0; i < operations; i += 3) {
    SCOPED_TRACE("from operation " + std::to_string(i));
    run_with(i, 1LL << 60, false);
    if (HasFailure()) break;
  }
}

TEST_F(FaultTest, LosesNothingThatItAcknowledgedWhenItIsKilledOnAFailingDisk) {
  run_with(1LL << 60, 1LL << 60, true);
  const std::int64_t operations = operations_;
  for (std::int64_t i = 1; i < operations; i += 3) {
    SCOPED_TRACE("from operation " + std::to_string(i));
    run_with(i, 1LL << 60, true);
    if (HasFailure()) break;
  }
}

TEST_F(FaultTest, AnswersAtOnceThatItCannotReadWhileTheDiskFails) {
  settings_.patience = std::chrono::minutes(1);
  ASSERT_TRUE(start());
  first_bad_ = count_;
  append(event("x"));
  EXPECT_TRUE(store_->state().failing);
  EXPECT_EQ(store_->peek(Lane::kEvents, 0, 9, 999).error().code, Errc::kStorage);
  first_bad_ = 1LL << 60;
  pass(Millis{1000});
  EXPECT_FALSE(store_->state().failing);
  EXPECT_EQ(bodies(Lane::kEvents).back(), "x");
  EXPECT_EQ(store_->state().reopened, 1);
  EXPECT_EQ(store_->state().lanes[2].appended, 2);
}

TEST_F(FaultTest, EndsTheRunWhenItsFileIsGone) {
  ASSERT_TRUE(start());
  std::filesystem::remove(settings_.path);
  first_bad_ = count_;
  last_bad_ = count_ + 1;
  append(event("x"));
  pass(Millis{1000});
  EXPECT_TRUE(ended_);
  EXPECT_EQ(store_->peek(Lane::kEvents, 0, 9, 999).error().code, Errc::kCorrupt);
}

}  // namespace
}  // namespace metergate
