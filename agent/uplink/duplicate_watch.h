#pragma once

#include <atomic>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "store/key_value_store.h"

namespace metergate {

/// Whether another gateway uses this one's id: its epoch was read on the status topic. The ban of writes that follows
/// counts running time without the other, and is kept over restarts. One thread, but where it says otherwise.
class DuplicateWatch {
 public:
  static constexpr Millis kQuarantine{600'000};
  static constexpr Millis kAnswerEvery{10'000};
  /// The other gateway ignores a status that comes before its own first `online` is acknowledged.
  static constexpr Millis kAnswerAfter{2'000};
  static constexpr Millis kNoteEvery{60'000};  ///< a restart makes the ban longer by at most this

  explicit DuplicateWatch(KeyValueStore& key_values) : key_values_(key_values) {}

  /// Takes up the ban of an earlier run; before any write is asked for. Waits for the store's thread.
  Status restore(MonoTime now);
  /// Notes what is left of the ban, when next() is due.
  void step(MonoTime now);
  /// When it wants step() next; MonoTime::max() if there is no ban.
  MonoTime next() const { return next_note_; }
  /// True: the other gateway does not know of this one yet. Publish our own status kAnswerAfter from now. Waits for
  /// the store's thread.
  bool seen(const std::string& epoch, MonoTime now);
  /// Any thread.
  bool writes_allowed(MonoTime now) const { return now.time_since_epoch().count() >= until_; }

 private:
  void ban(Nanos length, MonoTime now);

  KeyValueStore& key_values_;
  std::string last_;
  MonoTime answer_after_ = MonoTime::min();
  MonoTime next_note_ = MonoTime::max();
  std::atomic<Nanos::rep> until_{MonoTime::min().time_since_epoch().count()};
};

}  // namespace metergate
