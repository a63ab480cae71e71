#pragma once

#include "store/store.h"

namespace metergate {

/// Commands that were acknowledged to the broker, and the ids of those that are done. Any thread.
class Inbox {
 public:
  virtual ~Inbox() = default;

  /// Durable when it returns. A known id changes nothing and is told. With `verdict` a new command is answered in the
  /// same transaction and never executed. Errors: kFull (no room at all: acknowledge it, since it is counted durably
  /// and told by `commands_refused`), kStorage and kCorrupt (unknown whether stored: must not be acknowledged).
  virtual Result<Admission> admit(const StoredCommand& command, std::optional<Draft> verdict) = 0;
  /// True when only the reserve is left: a new command is to be admitted with the verdict store_full.
  virtual bool only_reserve_left() = 0;

  /// Open commands of a bus behind `after`, in the order of arrival. Waits for the store's thread.
  virtual Result<std::vector<StoredCommand>> open_commands(const std::string& bus, std::int64_t after,
                                                           std::size_t max) = 0;
  /// Every bus that open commands name; for those that no longer exist.
  virtual Result<std::vector<std::string>> open_buses() = 0;

  /// Durable when it returns: from now on the write counts as perhaps sent. Errors: kStorage, kCorrupt: do not send.
  virtual Status started(std::int64_t key) = 0;
  /// The command's end and its result in one transaction. Returns at once; tried until it is durable.
  virtual void complete(std::int64_t key, Draft result) = 0;

  /// What could not be read as a command; the newest 1,000 of 4 KiB are kept.
  virtual void dead_letter(std::string topic, std::string why, std::string payload, UtcTime at) = 0;
};

}  // namespace metergate
