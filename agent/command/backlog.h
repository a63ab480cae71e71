#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "agent/base/clock.h"
#include "agent/command/open_command.h"

namespace metergate {

/// Open commands of one sink that it has no room for yet, by lane in the order of arrival: only where they lie in the
/// inbox, some 40 bytes each, and as many as the inbox holds. So none of them stands before those of another lane.
/// Pure; one thread.
class Backlog {
 public:
  struct Entry {
    std::int64_t key = 0;
    MonoTime arrived{};
    std::optional<UtcTime> expires;
  };

  void add(const CommandLane& lane, const Entry& entry);
  std::vector<CommandLane> lanes() const;
  /// The oldest of a lane; null: there is none.
  const Entry* front(const CommandLane& lane) const;
  void pop(const CommandLane& lane);
  std::size_t size() const;

  /// Nothing expires before it; UtcTime::max() for never.
  UtcTime first_expiry() const { return first_expiry_; }
  /// Takes out at most `max` that have expired by `now`.
  std::vector<std::pair<CommandLane, Entry>> take_expired(UtcTime now, std::size_t max);

 private:
  std::map<CommandLane, std::deque<Entry>> lanes_;  // none of them empty
  UtcTime first_expiry_ = UtcTime::max();
};

}  // namespace metergate
