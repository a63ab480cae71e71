#pragma once

#include <functional>
#include <memory>

#include "agent/base/log.h"
#include "store/archive.h"
#include "store/inbox.h"
#include "store/key_value_store.h"
#include "store/outbox.h"
#include "store/sqlite/file_system.h"
#include "store/store_view.h"

namespace metergate {

/// Outbox, inbox, values and archive in one SQLite file, served by one thread that the caller runs: `step` until
/// stopped. Before begin() the store belongs to the thread that opened it, and calls are done at once; from then on
/// those that wait for the store's thread return kStorage after StoreSettings::patience when it does not answer.
///
/// Beside the file PATH lie PATH-wal, PATH.ballast (given back when the disk is full), PATH.lock and PATH.corrupt-N
/// (quarantined), and for a moment PATH.new and PATH.damaged. schema.h tells what lies in the file.
class FileStore : public Outbox, public Inbox, public KeyValueStore, public Archive, public StoreView {
 public:
  struct Hooks {
    std::function<void()> committed;  ///< new records are durable; called on the store's thread, must not block
    std::function<void()> work;       ///< step() has something to do: wake the thread that runs it, or call step()
    /// The store cannot go on in this run: its file was found damaged, and is quarantined, or it is gone. Every call
    /// fails from now on. End the run and open the store again: that repairs it. Called on the store's thread.
    std::function<void()> ended;
  };

  /// Takes the file for this process. Errors: kLocked (another process: exit 75), kNotFound (cannot be created: 73),
  /// kStorage and kFull (cannot be used: 74), kInvalid (another gateway's store, or one of a newer major version: 78).
  /// A damaged file is quarantined and repaired; Opened tells.
  static Result<std::unique_ptr<FileStore>> open(StoreSettings settings, RecordFormat format, FileSystem& files,
                                                 const Clock& clock, Log& log);

  virtual const Opened& opened() const = 0;
  /// Writes the epoch and the event `started` in one transaction; the store takes no record before.
  virtual Status begin(const std::string& epoch, Draft started, Hooks hooks) = 0;
  /// What Opened::gone_epoch says is durable as an event, if it says anything: from now on this is the epoch whose
  /// store the next start looks for.
  virtual void gone_is_told(const std::string& epoch) = 0;
  /// Whether this store ever drew the epoch, among its newest 1,000.
  virtual Result<bool> knows_epoch(const std::string& epoch) = 0;

  /// Catalogs by hash, so that old records can be explained. A new one holds from the next record on; those taken under
  /// the old one are to be appended before. Errors: kInvalid (over a sixteenth of the cap), kStorage, kCorrupt.
  virtual Status add_catalog(const std::string& hash, const std::string& bytes) = 0;
  /// Hashes of those that records not yet delivered were taken under, oldest first, and of the present one last.
  virtual Result<std::vector<std::string>> catalogs_waiting() = 0;
  virtual Result<std::optional<std::string>> catalog(const std::string& hash) = 0;

  /// Commits what is due; returns when it wants to be called next. Only the store's thread.
  virtual MonoTime step(MonoTime now) = 0;
  /// Commits everything that waits and closes the file. Only the store's thread, as its last call. Errors:
  /// kStorage (something is lost), kCorrupt.
  virtual Status finish() = 0;
};

/// For `check`: whether the path could be used, without creating or changing anything. A store that a running agent
/// holds is usable. Errors: those of open(), and kCorrupt: a start would repair it.
Status probe_store(const StoreSettings& settings);

}  // namespace metergate
