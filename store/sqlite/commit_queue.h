#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/sqlite/completion.h"
#include "store/sqlite/database.h"

namespace metergate {

/// Something to write. It is written again, unchanged, when its commit failed.
struct WriteRequest {
  std::optional<Draft> record;
  std::function<Status(Database&)> change;  ///< with or instead of a record; its outcome goes to the completion
  std::function<void(Database&)> refuse;    ///< if set, counts it as refused when it finds no room
  std::shared_ptr<Completion> completion;   ///< of the caller that waits, if any
  bool spare = false;                       ///< is dropped, and counted, when too much waits or nothing fits
  std::int64_t bytes = 0;                   ///< that it takes in the file, about
  MonoTime due{};                           ///< commit by then
  Status outcome;

  bool is_reading() const { return record && record->lane == Lane::kReadings; }
};

/// Something to read; it is served before all writes.
struct ReadRequest {
  std::function<Status(Database&)> run;
  std::shared_ptr<Completion> completion;
};

struct Cursors {
  Counters::PerLane sent{}, delivered{};
};

/// What one transaction writes. Kept until it is known to be durable.
struct WriteBatch {
  std::vector<WriteRequest> writes;
  std::map<std::string, std::string> values;  ///< of KeyValueStore
  LostReadings lost;
  Cursors cursors;
};

/// What other threads want the store's thread to write and read, and what that one lets them know. Any thread; nothing
/// blocks for longer than a copy takes.
class CommitQueue {
 public:
  /// True if it is due earlier than all before it. Of readings at most 10,000 and 8 MiB wait, of other spare writes
  /// 1,000; what is beyond is dropped and counted.
  bool push(WriteRequest write);
  void push(ReadRequest read);
  /// Moves a cursor; a key beyond set_last_key() counts as that one. True if the store's thread has to be woken.
  bool move(Counters::PerLane Cursors::*which, Lane lane, std::int64_t key, MonoTime due);
  /// False when 10,000 names wait, and this is none of them: the value is dropped and counted.
  bool put(const std::string& name, const std::string& value, MonoTime due);
  /// The newest value of a name that is not known to be durable yet.
  std::optional<std::string> value(const std::string& name) const;
  /// The values of the batch are durable.
  void values_written();
  Cursors cursors() const;
  /// The last key that may have been seen outside the store.
  void set_last_key(std::int64_t last_key);

  MonoTime due() const;
  std::size_t waiting_writes() const;
  std::deque<ReadRequest> take_reads();
  /// Adds the oldest writes up to `max_bytes` and `max_writes`, at least one if there is any, and all values and
  /// cursors. A value in the batch gives way to a newer one of the same name.
  void fill(WriteBatch& batch, std::int64_t max_bytes, std::size_t max_writes);
  /// Counts a reading as lost; who calls has it in its batch.
  void count_lost();
  /// Moves those that count themselves as refused into the batch, before all others.
  void take_commands(WriteBatch& batch);
  bool commands_wait() const;
  void shed();
  void refuse_command();
  /// There is something to commit by then, beside what the queue holds.
  void ask_commit(MonoTime due);

  /// From now on nothing is taken, and all callers that wait are told why. The first reason counts.
  void close(const Error& why);
  std::optional<Error> closed() const;

  void publish(const StoreState& state, bool only_reserve_left);
  StoreState state() const;
  bool only_reserve_left() const;

 private:
  void count(const WriteRequest& write, std::int64_t sign);

  mutable std::mutex mutex_;  // guards all below
  std::deque<WriteRequest> writes_;
  std::deque<ReadRequest> reads_;
  std::map<std::string, std::string> values_, values_in_batch_;
  Cursors cursors_;
  std::int64_t last_key_ = 0;
  MonoTime writes_due_ = MonoTime::max(), rest_due_ = MonoTime::max();
  std::int64_t readings_ = 0, reading_bytes_ = 0, others_ = 0;
  LostReadings lost_;
  std::int64_t lost_count_ = 0, shed_count_ = 0, refused_commands_ = 0;  // since start
  std::optional<Error> closed_;
  StoreState state_;
  bool only_reserve_left_ = false;
};

}  // namespace metergate
