#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/sqlite/completion.h"
#include "store/sqlite/database.h"

namespace metergate {

/// Something to write. It is written again, unchanged, when its commit failed.
struct WriteRequest {
  std::optional<Draft> record;
  std::function<Status(Database&)> change;  ///< with or instead of a record; its outcome goes to the ticket
  std::shared_ptr<Completion> completion;   ///< who waits, if anybody does
  bool spare = false;                       ///< may be dropped, and counted, when too much waits or nothing fits
  std::int64_t bytes = 0;                   ///< room that it takes in the file, about
  MonoTime due{};                           ///< commit by then
  Status outcome;

  bool is_reading() const { return record && record->lane == Lane::kReadings; }
};

/// Something to read, ahead of all that is to be written.
struct ReadRequest {
  std::function<Status(Database&)> run;
  std::shared_ptr<Completion> completion;
};

/// Readings that never got a number.
struct LostReadings {
  std::int64_t count = 0;
  std::set<std::string> meters;  ///< at most 100
  UtcTime from{}, to{};
  std::string why;

  void add(const LostReadings& more);
};

struct Cursors {
  Counters::PerLane sent{}, delivered{};
};

/// What one transaction writes. Kept until it is known to be durable.
struct WriteBatch {
  std::vector<WriteRequest> tasks;
  std::map<std::string, std::string> learned;
  LostReadings lost;
  Cursors cursors;
};

/// What the other threads hand over to the store's thread, and what that one lets them know. Any thread; nothing blocks
/// for longer than a copy takes.
class CommitQueue {
 public:
  /// True if it is due earlier than all before it. Of readings at most 10,000 and 8 MiB wait, of other spare tasks
  /// 1,000.
  bool push(WriteRequest task);
  void push(ReadRequest look);
  /// A key beyond those given counts as the last of them. True if the store's thread did not know before that there is
  /// something to do.
  bool move(Counters::PerLane Cursors::*which, Lane lane, std::int64_t key, MonoTime due);
  /// False when 10,000 other names wait: it is dropped and counted.
  bool learn(const std::string& name, const std::string& value, MonoTime due);
  /// What was learned and is not yet handed to a transaction.
  std::optional<std::string> learned(const std::string& name) const;
  Cursors cursors() const;
  /// Keys up to this one may have been seen outside.
  void given(std::int64_t last_key);

  MonoTime due() const;
  std::size_t waiting_tasks() const;
  std::deque<ReadRequest> take_reads();
  /// Adds the oldest tasks up to `max_bytes` and `max_tasks`, at least one if there is any, and the rest. What the
  /// slice has learned gives way to what is newer.
  void fill(WriteBatch& batch, std::int64_t max_bytes, std::size_t max_tasks);
  void lose(const Draft& reading, const std::string& why);
  void shed();
  void refuse_command();

  /// From now on nothing is taken; whoever waits is told. The first reason counts.
  void close(const Error& why);
  std::optional<Error> closed() const;

  void publish(const StoreState& state, bool only_reserve_left);
  StoreState state() const;
  bool only_reserve_left() const;

 private:
  void lose_locked(const Draft& reading, const std::string& why);
  void count(const WriteRequest& task, std::int64_t sign);

  mutable std::mutex mutex_;  // guards all below
  std::deque<WriteRequest> tasks_;
  std::deque<ReadRequest> reads_;
  std::map<std::string, std::string> learned_;
  Cursors cursors_;
  std::int64_t last_key_ = 0;
  MonoTime tasks_due_ = MonoTime::max(), rest_due_ = MonoTime::max();
  std::int64_t readings_ = 0, reading_bytes_ = 0, others_ = 0;
  LostReadings lost_;
  std::int64_t lost_count_ = 0, shed_count_ = 0, refused_commands_ = 0;  // since start
  std::optional<Error> closed_;
  StoreState state_;
  bool only_reserve_left_ = false;
};

}  // namespace metergate
