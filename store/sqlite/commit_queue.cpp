#include "store/sqlite/commit_queue.h"

#include <algorithm>
#include <utility>

namespace metergate {

namespace {

constexpr std::int64_t kMaxReadings = 10000;
constexpr std::int64_t kMaxReadingBytes = 8 << 20;
constexpr std::int64_t kMaxOthers = 1000;
constexpr std::size_t kMaxNames = 10000;

bool is_command(const WriteRequest& write) { return static_cast<bool>(write.refuse); }

}  // namespace

bool CommitQueue::push(WriteRequest write) {
  std::shared_ptr<Completion> refused;
  {
    std::lock_guard<std::mutex> hold(mutex_);
    if (!closed_) {
      if (write.is_reading() && (readings_ >= kMaxReadings || reading_bytes_ >= kMaxReadingBytes)) {
        const Draft& reading = *write.record;
        lost_.add(
            LostReadings{1, {reading.meter}, reading.at, reading.at, "the store did not keep up with the readings"});
        ++lost_count_;
        rest_due_ = std::min(rest_due_, write.due);
        return false;
      }
      if (write.spare && !write.is_reading() && others_ >= kMaxOthers) {
        ++shed_count_;
        return false;
      }
      count(write, 1);
      const bool earlier = write.due < std::min(writes_due_, rest_due_);
      writes_due_ = std::min(writes_due_, write.due);
      writes_.push_back(std::move(write));
      return earlier;
    }
    refused = write.completion;
  }
  if (refused) refused->settle(*closed());
  return false;
}

void CommitQueue::push(ReadRequest read) {
  {
    std::lock_guard<std::mutex> hold(mutex_);
    if (!closed_) return reads_.push_back(std::move(read));
  }
  read.completion->settle(*closed());
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

bool CommitQueue::put(const std::string& name, const std::string& value, MonoTime due) {
  std::lock_guard<std::mutex> hold(mutex_);
  if (values_.size() + values_in_batch_.size() >= kMaxNames && values_.count(name) == 0) {
    ++shed_count_;
    return false;
  }
  values_[name] = value;
  rest_due_ = std::min(rest_due_, due);
  return true;
}

std::optional<std::string> CommitQueue::value(const std::string& name) const {
  std::lock_guard<std::mutex> hold(mutex_);
  for (const auto* values : {&values_, &values_in_batch_}) {
    if (const auto found = values->find(name); found != values->end()) return found->second;
  }
  return std::nullopt;
}

void CommitQueue::values_written() {
  std::lock_guard<std::mutex> hold(mutex_);
  values_in_batch_.clear();
}

Cursors CommitQueue::cursors() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return cursors_;
}

void CommitQueue::set_last_key(std::int64_t last_key) {
  std::lock_guard<std::mutex> hold(mutex_);
  last_key_ = std::max(last_key_, last_key);
}

MonoTime CommitQueue::due() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return std::min(writes_due_, rest_due_);
}

std::size_t CommitQueue::waiting_writes() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return writes_.size();
}

std::deque<ReadRequest> CommitQueue::take_reads() {
  std::lock_guard<std::mutex> hold(mutex_);
  return std::exchange(reads_, {});
}

void CommitQueue::fill(WriteBatch& batch, std::int64_t max_bytes, std::size_t max_writes) {
  std::lock_guard<std::mutex> hold(mutex_);
  for (std::size_t taken = 0; !writes_.empty() && taken < max_writes; ++taken) {
    max_bytes -= writes_.front().bytes;
    if (max_bytes < 0 && taken > 0) break;
    count(writes_.front(), -1);
    batch.writes.push_back(std::move(writes_.front()));
    writes_.pop_front();
  }
  for (const auto& [name, value] : std::exchange(values_, {})) {
    batch.values[name] = value;
    values_in_batch_[name] = value;
  }
  batch.lost.add(std::exchange(lost_, LostReadings{}));
  batch.cursors = cursors_;
  // What did not fit follows at once.
  writes_due_ = writes_.empty() ? MonoTime::max() : MonoTime::min();
  rest_due_ = MonoTime::max();
}

void CommitQueue::take_commands(WriteBatch& batch) {
  std::lock_guard<std::mutex> hold(mutex_);
  const auto others = std::stable_partition(writes_.begin(), writes_.end(), is_command);
  for (auto write = writes_.begin(); write != others; ++write) {
    count(*write, -1);
    batch.writes.push_back(std::move(*write));
  }
  writes_.erase(writes_.begin(), others);
}

bool CommitQueue::commands_wait() const {
  std::lock_guard<std::mutex> hold(mutex_);
  return std::any_of(writes_.begin(), writes_.end(), is_command);
}

void CommitQueue::count_lost() {
  std::lock_guard<std::mutex> hold(mutex_);
  ++lost_count_;
}

void CommitQueue::ask_commit(MonoTime due) {
  std::lock_guard<std::mutex> hold(mutex_);
  rest_due_ = std::min(rest_due_, due);
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
  std::deque<WriteRequest> writes;
  std::deque<ReadRequest> reads;
  {
    std::lock_guard<std::mutex> hold(mutex_);
    if (!closed_) closed_ = why;
    writes.swap(writes_);
    reads.swap(reads_);
  }
  for (const WriteRequest& write : writes) {
    if (write.completion) write.completion->settle(why);
  }
  for (const ReadRequest& read : reads) read.completion->settle(why);
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

void CommitQueue::count(const WriteRequest& write, std::int64_t sign) {
  if (write.is_reading()) {
    readings_ += sign;
    reading_bytes_ += sign * write.bytes;
  } else if (write.spare) {
    others_ += sign;
  }
}

}  // namespace metergate
