#include "store/sqlite/commit_queue.h"

#include <algorithm>
#include <utility>

namespace metergate {

namespace {

constexpr std::int64_t kMaxReadings = 10000;
constexpr std::int64_t kMaxReadingBytes = 8 << 20;
constexpr std::int64_t kMaxOthers = 1000;
constexpr std::size_t kMaxNames = 10000;
constexpr std::size_t kMaxMeters = 100;

}  // namespace

void LostReadings::add(const LostReadings& more) {
  if (more.count == 0) return;
  from = count == 0 ? more.from : std::min(from, more.from);
  to = count == 0 ? more.to : std::max(to, more.to);
  if (count == 0) why = more.why;
  count += more.count;
  for (const std::string& meter : more.meters) {
    if (meters.size() < kMaxMeters) meters.insert(meter);
  }
}

bool CommitQueue::push(WriteRequest task) {
  std::shared_ptr<Completion> refused;
  {
    std::lock_guard<std::mutex> hold(mutex_);
    if (!closed_) {
      if (task.is_reading() && (readings_ >= kMaxReadings || reading_bytes_ >= kMaxReadingBytes)) {
        lose_locked(*task.record, "the store did not keep up with what was handed to it");
        return false;
      }
      if (task.spare && !task.is_reading() && others_ >= kMaxOthers) {
        ++shed_count_;
        return false;
      }
      count(task, 1);
      const bool earlier = task.due < std::min(tasks_due_, rest_due_);
      tasks_due_ = std::min(tasks_due_, task.due);
      tasks_.push_back(std::move(task));
      return earlier;
    }
    refused = task.completion;
  }
  if (refused) refused->settle(*closed());
  return false;
}

void CommitQueue::push(ReadRequest look) {
  {
    std::lock_guard<std::mutex> hold(mutex_);
    if (!closed_) return reads_.push_back(std::move(look));
  }
  look.completion->settle(*closed());
}

bool CommitQueue::move(Counters::PerLane Cursors::*which, Lane lane, std::int64_t key, MonoTime due) {
  std::lock_guard<std::mutex> hold(mutex_);
  std::int64_t& cursor = (cursors_.*which)[index_of(lane)];
  key = std::min(key, last_key_);
  if (key <= cursor) return false;
  cursor = key;
  const bool first = rest_due_ == MonoTime::max();
  rest_due_ = std::min(rest_due_, due);
  return first;
}

bool CommitQueue::learn(const std::string& name, const std::string& value, MonoTime due) {
  std::lock_guard<std::mutex> hold(mutex_);
  if (learned_.size() >= kMaxNames && learned_.count(name) == 0) {
    ++shed_count_;
    return false;
  }
  learned_[name] = value;
  rest_due_ = std::min(rest_due_, due);
  return true;
}

std::optional<std::string> CommitQueue::learned(const std::string& name) const {
  std::lock_guard<std::mutex> hold(mutex_);
  const auto found = learned_.find(name);
  return found == learned_.end() ? std::nullopt : std::make_optional(found->second);
}

Cursors CommitQueue::cursors() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return cursors_;
}

void CommitQueue::given(std::int64_t last_key) {
  std::lock_guard<std::mutex> hold(mutex_);
  last_key_ = std::max(last_key_, last_key);
}

MonoTime CommitQueue::due() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return std::min(tasks_due_, rest_due_);
}

std::size_t CommitQueue::waiting_tasks() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return tasks_.size();
}

std::deque<ReadRequest> CommitQueue::take_reads() {
  std::lock_guard<std::mutex> hold(mutex_);
  return std::exchange(reads_, {});
}

void CommitQueue::fill(WriteBatch& batch, std::int64_t max_bytes, std::size_t max_tasks) {
  std::lock_guard<std::mutex> hold(mutex_);
  for (std::size_t taken = 0; !tasks_.empty() && taken < max_tasks; ++taken) {
    max_bytes -= tasks_.front().bytes;
    if (max_bytes < 0 && taken > 0) break;
    count(tasks_.front(), -1);
    batch.tasks.push_back(std::move(tasks_.front()));
    tasks_.pop_front();
  }
  for (auto& [name, value] : std::exchange(learned_, {})) batch.learned[name] = value;
  batch.lost.add(std::exchange(lost_, LostReadings{}));
  batch.cursors = cursors_;
  // What did not fit was to be committed together with the rest: at once.
  tasks_due_ = tasks_.empty() ? MonoTime::max() : MonoTime::min();
  rest_due_ = MonoTime::max();
}

void CommitQueue::lose(const Draft& reading, const std::string& why) {
  std::lock_guard<std::mutex> hold(mutex_);
  lose_locked(reading, why);
}

void CommitQueue::lose_locked(const Draft& reading, const std::string& why) {
  lost_.add(LostReadings{1, {reading.meter}, reading.at, reading.at, why});
  ++lost_count_;
}

void CommitQueue::shed() {
  std::lock_guard<std::mutex> hold(mutex_);
  ++shed_count_;
}

void CommitQueue::refuse_command() {
  std::lock_guard<std::mutex> hold(mutex_);
  ++refused_commands_;
}

void CommitQueue::close(const Error& why) {
  std::deque<WriteRequest> tasks;
  std::deque<ReadRequest> reads;
  {
    std::lock_guard<std::mutex> hold(mutex_);
    if (!closed_) closed_ = why;
    tasks.swap(tasks_);
    reads.swap(reads_);
  }
  for (const WriteRequest& task : tasks) {
    if (task.completion) task.completion->settle(why);
  }
  for (const ReadRequest& look : reads) look.completion->settle(why);
}

std::optional<Error> CommitQueue::closed() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return closed_;
}

void CommitQueue::publish(const StoreState& state, bool only_reserve_left) {
  std::lock_guard<std::mutex> hold(mutex_);
  state_ = state;
  only_reserve_left_ = only_reserve_left;
}

StoreState CommitQueue::state() const {
  std::lock_guard<std::mutex> hold(mutex_);
  StoreState state = state_;
  state.readings_lost = lost_count_;
  state.shed = shed_count_;
  state.commands_without_room = refused_commands_;
  return state;
}

bool CommitQueue::only_reserve_left() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return only_reserve_left_;
}

void CommitQueue::count(const WriteRequest& task, std::int64_t sign) {
  if (task.is_reading()) {
    readings_ += sign;
    reading_bytes_ += sign * task.bytes;
  } else if (task.spare) {
    others_ += sign;
  }
}

}  // namespace metergate
