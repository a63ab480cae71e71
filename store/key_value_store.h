#pragma once

#include <optional>
#include <string>

#include "agent/base/result.h"

namespace metergate {

/// What agent and drivers learn and want to find again after a restart. Keys and values are theirs. Any thread.
class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;
  /// The newest value that was put, also when it is not durable yet. Waits for the store's thread. Errors: kStorage,
  /// kCorrupt.
  virtual Result<std::optional<std::string>> get(const std::string& key) = 0;
  /// Durable when it returns. Errors: kFull (too many values wait, nothing was stored), kStorage, kCorrupt.
  virtual Status put(const std::string& key, const std::string& value) = 0;
  /// Returns at once; durable with the next commit.
  virtual void put_later(const std::string& key, const std::string& value) = 0;
};

}  // namespace metergate
