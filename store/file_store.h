#pragma once

#include <functional>
#include <memory>

#include "agent/base/log.h"
#include "store/inbox.h"
#include "store/outbox.h"

namespace metergate {

/// The store's own file operations beside SQLite's, apart so that tests can make them fail.
class Files {
 public:
  virtual ~Files() = default;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status sync_folder(const std::string& path) = 0;
  /// A file of `bytes` whose blocks are really allocated. Errors: kFull, kStorage.
  virtual Status allocate(const std::string& path, std::int64_t bytes) = 0;
};
std::unique_ptr<Files> system_files();

/// Outbox, inbox and memory in one SQLite file, served by one thread that the caller runs: `step` until stopped.
/// Before start() the store belongs to the thread that opened it.
class FileStore : public Outbox, public Inbox, public Memory {
 public:
  struct Hooks {
    std::function<void()> committed;   ///< new records are durable; called on the store's thread, must not block
    std::function<void()> work;        ///< step() has something to do; wakes the thread that runs it
  };

  /// Takes the file for this process. Errors: kLocked (another process: exit 75), kNotFound (cannot be created: 73),
  /// kStorage (cannot be used: 74), kInvalid (another gateway's store, or one of a newer major version: 78).
  /// A damaged file is set aside and salvaged; Opened tells.
  static Result<std::unique_ptr<FileStore>> open(StoreSettings settings, RecordFormat format, Files& files, const Clock& clock,
                                                 Log& log);

  virtual const Opened& opened() const = 0;
  /// Writes the epoch, the event `started` and `events` in one transaction; the store takes no record before.
  virtual Status begin(const std::string& epoch, Draft started, Hooks hooks) = 0;
  /// Whether this store ever drew the epoch, as far as it remembers (the newest 1,000).
  virtual Result<bool> knows_epoch(const std::string& epoch) = 0;

  /// Catalogs by hash, so that old records can be explained. A new one holds from the next record on.
  virtual Status add_catalog(const std::string& hash, const std::string& bytes) = 0;
  /// Those that records not yet delivered were taken under, oldest first, and the present one last.
  virtual Result<std::vector<std::string>> catalogs_waiting() = 0;
  virtual Result<std::optional<std::string>> catalog(const std::string& hash) = 0;

  /// Commits what is due; returns when it wants to be called next. Only the store's thread.
  virtual MonoTime step(MonoTime now) = 0;
  /// Commits everything that was handed over. Only the store's thread, as its last call.
  virtual Status finish() = 0;
};

/// For `check`: whether the path could be used, without creating or changing anything.
Status probe_store(const StoreSettings& settings);

}  // namespace metergate
