#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/command/command_sink.h"
#include "store/key_value_store.h"

namespace metergate {

/// The wish that a bus be left alone, for somebody else's tool, and whether the bus has followed. It survives a
/// restart. Safe for concurrent calls.
class BusPause : public Pausable {
 public:
  /// Filled by name; what is pointed to outlives the pause.
  struct Parts {
    std::string bus;
    KeyValueStore* key_values = nullptr;
    const Clock* clock = nullptr;
    Log* log = nullptr;
    std::function<void()> wished = [] {};   ///< wakes the bus; must not block
    std::function<void()> granted = [] {};  ///< the bus has followed; must not block
  };
  /// Goes on with a pause of an earlier process. Waits for the store.
  explicit BusPause(Parts parts);

  /// At least kShortestPause, at most kLongestPause.
  UtcTime begin(Millis length) override;
  bool end() override;

  struct Wish {
    std::int64_t number = 0;  ///< of begin() and end(), counted
    bool paused = false;
    MonoTime ends{};
    UtcTime until{};
  };
  Wish wish(MonoTime now) const;
  /// The bus did what wish `number` wants.
  void grant(std::int64_t number);
  /// Until when the bus has given its port away; nothing: it has not.
  std::optional<UtcTime> lent() const;
  /// Nothing is wished that the bus has not done.
  bool granted() const;
  /// The time of wish `number` is over: the next process need not look at it. Returns at once.
  void forget(std::int64_t number);

 private:
  void set(Millis length, UtcTime until);
  Status keep();
  std::string name() const { return "pause." + parts_.bus; }

  const Parts parts_;
  mutable std::mutex mutex_;  // guards what follows
  Wish wish_;
  std::string text_;  // of wish_, as it is stored
  std::int64_t granted_ = 0;
};

}  // namespace metergate
