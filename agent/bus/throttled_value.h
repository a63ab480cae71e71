#pragma once

#include <optional>
#include <string>
#include <utility>

#include "agent/base/clock.h"
#include "store/key_value_store.h"

namespace metergate {

/// One text of the key-value store that changes more often than flash memory should be written: at most once in 15 min,
/// once a minute where it matters. One thread.
class ThrottledValue {
 public:
  static constexpr Millis kPause{900'000};
  static constexpr Millis kUrgentPause{60'000};

  ThrottledValue(KeyValueStore& store, std::string key) : store_(store), key_(std::move(key)) {}

  /// What an earlier process kept, or nothing. Waits for the store.
  std::string get() {
    const auto text = store_.get(key_);
    return text && *text ? **text : "";
  }
  void changed(bool urgent) {
    dirty_ = true;
    urgent_ = urgent_ || urgent;
  }
  /// Whether it is time to write what changed.
  bool due(MonoTime now) const { return dirty_ && (!kept_ || now - *kept_ >= (urgent_ ? kUrgentPause : kPause)); }
  /// Durable with the next commit.
  void keep(const std::string& text, MonoTime now) {
    store_.put_later(key_, text);
    kept_ = now;
    dirty_ = urgent_ = false;
  }

 private:
  KeyValueStore& store_;
  std::string key_;
  bool dirty_ = false;
  bool urgent_ = false;
  std::optional<MonoTime> kept_;
};

}  // namespace metergate
