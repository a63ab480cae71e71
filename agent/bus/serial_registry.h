#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/text.h"

namespace metergate {

/// A serial number without what one source writes and another does not: blanks and zeros before it. Empty: none.
inline std::string plain_serial(std::string_view serial) {
  serial = trim(serial);
  return std::string(serial.substr(std::min(serial.size(), serial.find_first_not_of('0'))));
}

/// Which serial number each meter of the gateway shows, showed before and should have by its flags, to find meters that
/// changed places. Safe for concurrent calls.
class SerialRegistry {
 public:
  void add(const std::string& meter, const std::string& flag, const std::string& stored) {
    const std::lock_guard<std::mutex> hold(mutex_);
    entries_.push_back({meter, plain_serial(flag), plain_serial(stored), {}});
  }
  /// Returns another meter that this number belongs to, or "".
  std::string shown(const std::string& meter, const std::string& serial) {
    const std::string plain = plain_serial(serial);
    const std::lock_guard<std::mutex> hold(mutex_);
    std::string other;
    for (Entry& entry : entries_) {
      if (entry.meter != meter) {
        const bool known = entry.flag == plain || entry.shown == plain || entry.before == plain;
        if (known && other.empty()) other = entry.meter;
      } else if (entry.shown != plain) {
        entry.before = std::exchange(entry.shown, plain);
      }
    }
    return other;
  }

 private:
  struct Entry {
    std::string meter, flag, shown, before;
  };
  std::mutex mutex_;  // guards entries_
  std::vector<Entry> entries_;
};

}  // namespace metergate
