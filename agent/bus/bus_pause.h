#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "store/key_value_store.h"

namespace metergate {

/// The wish that a bus be left alone, for somebody else's tool, and whether the bus has followed. Remembered over a
/// restart. Safe for concurrent calls.
class BusPause {
 public:
  struct Parts {
    std::string bus;
    KeyValueStore& memory;
    const Clock& clock;
    Log& log;
    std::function<void()> wished;   ///< wakes the bus; must not block
    std::function<void()> granted;  ///< the bus has followed; must not block
  };
  /// Takes up what an earlier process remembered. Waits for the store.
  explicit BusPause(Parts parts);

  /// From now on; one that runs gets a new end. At most kLongestPause. Returns the end. Waits for the store.
  UtcTime begin(Millis length);
  /// False: there was none. Waits for the store.
  bool end();

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
  /// The time is over: the next process need not look at it.
  void forget();

 private:
  void set(Millis length, UtcTime until);
  std::string name() const { return "pause." + parts_.bus; }

  const Parts parts_;
  mutable std::mutex mutex_;  // guards what follows
  Wish wish_;
  std::int64_t granted_ = 0;
};

}  // namespace metergate
