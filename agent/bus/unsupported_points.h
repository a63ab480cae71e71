#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/base/clock.h"
#include "drivers/profile/profile.h"

namespace metergate {

/// What one meter refuses to read (exceptions 2 and 3): registers, and places that no request may cross. What was
/// refused 3 times over 60 s is learned and left out of the plan for 24 h, or until the meter answers it after all.
/// Pure; one thread.
class UnsupportedPoints {
 public:
  static constexpr int kTimes = 3;
  static constexpr Millis kOver{60'000};
  static constexpr Millis kKept{86'400'000};
  static constexpr Millis kSearchPause{60'000};

  explicit UnsupportedPoints(const Profile& profile) : profile_(profile) {}

  /// `registers`: of one value, asked for alone. None (a count of 0): a request over this address was refused, and both
  /// its halves were answered.
  void refused(const Block& registers, int exception, MonoTime now);
  void answered(const Block& block);
  /// A refused block of which no part was answered. Until kSearchPause is over it is not worth splitting: a meter that
  /// refuses everything must not cost the others their time.
  void in_vain(const Block& block, MonoTime now);
  bool worth_splitting(const Block& block, MonoTime now) const;
  void forget();
  void forget_old(MonoTime now);

  /// For plan_blocks().
  const std::vector<Block>& learned() const { return learned_; }
  /// The exception that the point, or one that it depends on, is left out for; 0: it is not.
  int exception_of(const Point& point) const;
  std::vector<std::pair<std::string, int>> points() const;  ///< that are left out, with the exception

  /// What is learned, to be kept over a restart; empty for nothing.
  std::string text(MonoTime now, UtcTime utc) const;
  /// Takes back nothing of another profile, nor what is older than a day.
  void restore(const std::string& text, MonoTime now, UtcTime utc);
  /// What is learned is another since the last call.
  bool take_changed() { return std::exchange(changed_, false); }

 private:
  struct Entry {
    Block registers;
    int exception = 0;
    int times = 0;
    MonoTime first{};
  };
  void learn(const Entry& entry, MonoTime since);

  const Profile& profile_;
  std::vector<Entry> suspects_;
  std::vector<std::pair<Block, MonoTime>> in_vain_;  // and when it may be split again
  std::vector<Block> learned_;
  std::vector<int> exceptions_;  // of those
  MonoTime since_{};             // the oldest of those was learned
  bool changed_ = false;
};

}  // namespace metergate
