#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/bus/poll_job.h"

namespace metergate {

/// The transformer ratios that are set in a meter: the points of its profile that are called `ct_ratio`, `pt_ratio`,
/// `ct_primary`, `ct_secondary`, `pt_primary` or `pt_secondary`. Whoever changes one changes what every value means.
class RatioWatch {
 public:
  explicit RatioWatch(const Profile& profile);

  struct Change {
    std::string point, from, to;
  };

  bool empty() const { return ratios_.empty(); }
  std::vector<const Point*> points() const;
  /// All of them were answered in this round.
  bool answered_in(const PollJob& job) const;
  /// Takes what was answered; what differs from the last answer.
  std::vector<Change> take(const PollJob& job);

  /// ` NAME=VALUE ...`, as restore() takes it one by one; another name is not taken.
  std::string text() const;
  void restore(const std::string& name, const std::string& value);

 private:
  struct Ratio {
    const Point* point;
    std::string last;  // empty: not seen yet
  };
  std::vector<Ratio> ratios_;
};

}  // namespace metergate
