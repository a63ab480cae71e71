#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "agent/base/wake.h"
#include "tests/store/store_fixture.h"
#include "tests/store/watched_vfs.h"

namespace metergate {
namespace {

using ::testing::Each;
using ::testing::Lt;

/// The store as in the agent: its own thread, and several that hand over. Real time.
class ThreadTest : public StoreTest {
 protected:
  ThreadTest() {
    settings_.vfs = "slow";
    settings_.patience = Millis{5000};
    settings_.commit_every = Millis{20};
    vfs_.judge = [this](const FileOperation& operation) {
      std::unique_lock<std::mutex> hold(mutex_);
      if (operation.kind == FileOperation::Kind::kSync && hang_) {
        hangs_ = true;
        changed_.notify_all();
        changed_.wait(hold, [this] { return !hang_; });
      }
      return WatchedVfs::Verdict::kDone;
    };
  }
  ~ThreadTest() override {
    hang(false);
    stop();
  }

  void start() {
    auto opened = FileStore::open(settings_, plain_format(), *file_system_, real_clock_, log_);
    ASSERT_TRUE(opened) << opened.error().detail;
    store_ = std::move(*opened);
    FileStore::Hooks hooks;
    hooks.work = [this] { wake_.notify(); };
    ASSERT_TRUE(store_->begin("e" + std::to_string(++epochs_), event("started"), hooks));
    running_ = true;
    thread_ = std::thread([this] {
      while (running_) wake_.wait_until(store_->step(real_clock_.mono()));
      finished_ = store_->finish();
    });
  }
  void stop() {
    if (!thread_.joinable()) return;
    running_ = false;
    wake_.notify();
    thread_.join();
    store_.reset();
  }
  void hang(bool on) {
    {
      std::lock_guard<std::mutex> hold(mutex_);
      hang_ = on;
      hangs_ = false;
    }
    changed_.notify_all();
  }
  /// The store's thread is in a commit that does not end.
  void hang_in_a_commit() {
    hang(true);
    store_->append({event("x")});
    std::unique_lock<std::mutex> hold(mutex_);
    changed_.wait(hold, [this] { return hangs_; });
  }
  Millis took(const std::function<void()>& call) {
    const MonoTime before = real_clock_.mono();
    call();
    return std::chrono::duration_cast<Millis>(real_clock_.mono() - before);
  }

  SystemClock real_clock_;
  WatchedVfs vfs_{"slow"};
  Wake wake_;
  std::atomic<bool> running_{false};
  std::thread thread_;
  Status finished_;

 private:
  std::mutex mutex_;  // guards hang_ and hangs_
  std::condition_variable changed_;
  bool hang_ = false;
  bool hangs_ = false;
};

TEST_F(ThreadTest, TakesFromManyThreadsAtOnceWithoutLosingOrDoublingAnything) {
  start();
  constexpr int kThreads = 4;
  constexpr int kEach = 200;
  std::vector<std::thread> threads;
  std::atomic<int> known{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        store_->append({reading("r", i % 2 == 0)});
        store_->put_later("k" + std::to_string(t), std::to_string(i));
        if (i % 20 != 0) continue;
        // All threads admit the same ids.
        const auto admitted = store_->admit(command("c" + std::to_string(i)), std::nullopt);
        EXPECT_TRUE(admitted);
        if (admitted && admitted->known != Known::kNew) ++known;
        if (admitted && admitted->known == Known::kNew) store_->complete(admitted->key, result("done"));
        EXPECT_TRUE(store_->peek(Lane::kReadings, 0, 10, 1000));
        store_->state();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  stop();
  EXPECT_TRUE(finished_);
  start();
  const auto found = rows(Lane::kReadings);
  ASSERT_EQ(found.size(), static_cast<std::size_t>(kThreads * kEach));
  EXPECT_EQ(found.back().seq, kThreads * kEach);
  EXPECT_EQ(rows(Lane::kResults).size(), static_cast<std::size_t>(kEach / 20));
  EXPECT_EQ(known, (kThreads - 1) * kEach / 20);
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(*store_->get("k" + std::to_string(t)), std::to_string(kEach - 1));
}

TEST_F(ThreadTest, NeverMakesABusWaitForADiskThatHangs) {
  start();
  const std::int64_t key = admit("c1").key;
  hang_in_a_commit();
  std::vector<Millis> waits;
  for (int i = 0; i < 300; ++i) {
    waits.push_back(took([&] { store_->append({reading("r"), event("y")}); }));
    waits.push_back(took([&] { store_->put_later("k", "v"); }));
    waits.push_back(took([&] { store_->state(); }));
    waits.push_back(took([&] { store_->only_reserve_left(); }));
  }
  waits.push_back(took([&] { store_->complete(key, result("answer")); }));
  EXPECT_THAT(waits, Each(Lt(Millis{100})));
  hang(false);
  stop();
  start();
  EXPECT_EQ(rows(Lane::kReadings).size(), 300u);
  EXPECT_EQ(rows(Lane::kResults).size(), 1u);
}

TEST_F(ThreadTest, LetsNobodyWaitForeverOnADiskThatHangs) {
  settings_.patience = Millis{100};
  start();
  hang_in_a_commit();
  const Millis waited = took([&] {
    EXPECT_EQ(store_->admit(command("c1"), std::nullopt).error().code, Errc::kStorage);
    EXPECT_EQ(store_->peek(Lane::kReadings, 0, 1, 1).error().code, Errc::kStorage);
  });
  EXPECT_LT(waited, Millis{2000});
  hang(false);
}

TEST_F(ThreadTest, CountsReadingsBeyondItsBoundWhileTheDiskHangsAndTellsThemOnce) {
  start();
  hang_in_a_commit();
  for (int i = 0; i < 12000; ++i) store_->append({reading("r")});
  const std::int64_t lost = store_->state().readings_lost;
  EXPECT_EQ(lost, 2000);
  hang(false);
  stop();
  start();
  EXPECT_EQ(rows(Lane::kReadings).size(), static_cast<std::size_t>(12000 - lost));
  std::vector<std::string> told;
  for (const std::string& body : bodies(Lane::kEvents)) {
    if (body.rfind("lost", 0) == 0) told.push_back(body);
  }
  EXPECT_THAT(told, ::testing::ElementsAre("lost " + std::to_string(lost) + " of 1 meters"));
}

}  // namespace
}  // namespace metergate
