#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"

namespace metergate {

enum class Lane { kReadings = 0, kResults = 1, kEvents = 2 };
constexpr int kLanes = 3;
constexpr std::array<Lane, kLanes> kAllLanes{Lane::kReadings, Lane::kResults, Lane::kEvents};
const char* lane_name(Lane lane);  ///< "readings", "results", "events"
std::optional<Lane> lane_of(const std::string& name);

/// A record before it has its number. It gets number and final bytes in the transaction that makes it durable.
struct Draft {
  Lane lane = Lane::kReadings;
  UtcTime at{};
  std::string meter;      ///< empty where there is none
  bool keep_high = true;  ///< readings only: evicted after those of keep=low when the store is full
  std::string body;       ///< JSON members that follow id and seq: `"at":...` without braces
  /// If set, makes the body when the record is numbered, of each lane's last number before it. On the store's thread;
  /// pure; called again when a commit failed.
  std::function<std::string(const std::array<std::int64_t, kLanes>& last)> late_body = {};
};

/// A record as it is sent, now and in every repeat. `key` orders all records of the file's life and is never sent.
struct Row {
  std::int64_t key = 0;
  Lane lane = Lane::kReadings;
  std::string epoch;
  std::int64_t seq = 0;
  std::string bytes;
};

/// The wire format, which the store does not know. Called on the store's thread; pure.
struct RecordFormat {
  std::function<std::string(const std::string& epoch, Lane lane, std::int64_t seq, const std::string& body)> finish;
  /// Body of the event records_dropped, its `at` being the given time.
  std::function<Draft(const std::string& epoch, Lane lane, std::int64_t from_seq, std::int64_t to_seq,
                      std::int64_t count, UtcTime now)>
      dropped;
  /// Body of the event readings_lost: readings that could never be numbered.
  std::function<Draft(std::int64_t count, const std::vector<std::string>& meters, UtcTime from, UtcTime to,
                      const std::string& why, UtcTime now)>
      lost;
  /// Body of the event commands_refused: commands that found no room, with the ids of the first ones.
  std::function<Draft(std::int64_t count, const std::vector<std::string>& first_ids, UtcTime from, UtcTime to,
                      UtcTime now)>
      refused;
};

struct StoreSettings {
  std::string path;
  std::string gateway;                         ///< whose store it is; another's is refused
  std::int64_t max_bytes = 256ll << 20;        ///< all its files together; at least 8 MiB
  Millis keep_sent = std::chrono::hours(720);  ///< delivered records stay so long (running time)
  Millis commit_every{1000};
  Millis patience{5000};  ///< how long a caller waits for the store's thread
  /// Called again and again while a repair keeps open() busy, for a service manager that waits; must not block.
  std::function<void()> busy = [] {};
  std::string vfs;              ///< SQLite VFS name, empty for the default; tests inject faults by it
  bool unsafe_no_sync = false;  ///< negative controls only: a store that may lose what it acknowledged
};

/// The last number of each lane of an epoch; nothing where the store cannot tell.
struct LaneNumbers {
  std::array<std::optional<std::int64_t>, kLanes> last;
};

struct PreviousEpoch {
  std::string epoch;
  LaneNumbers numbers;
};

enum class StoreOrigin { kKept, kNew, kReplaced };

/// What opening found; the material of the event `started`.
struct Opened {
  StoreOrigin origin = StoreOrigin::kNew;
  std::optional<PreviousEpoch> previous;
  std::string quarantined;                   ///< replaced: the new name of the damaged file
  std::array<std::int64_t, kLanes> saved{};  ///< replaced: records of each lane that were saved
  bool commands_saved = false;               ///< replaced
  UtcTime newest{};                          ///< the newest `at` of a record; 1970 in a new store
  /// Kept or new: the last epoch that was begun at this path, where this store never drew it. The store that it was
  /// begun in was deleted, or an older copy or another store stands in its place.
  std::string gone_epoch;
};

struct StoredCommand {
  std::int64_t key = 0;  ///< order of arrival
  std::string id;
  std::string bus;   ///< empty: needs no bus
  std::string body;  ///< the payload as it came
  bool write = false;
  bool started = false;  ///< a write that may have been sent before the process died
  UtcTime received{};
};

enum class Known { kNew, kOpen, kDone };

struct Admission {
  Known known = Known::kNew;
  std::int64_t key = 0;
  std::optional<Row> result;  ///< kDone: the record that answered it, unless it was never kept
};

struct LaneState {
  std::int64_t waiting = 0;                               ///< records not delivered
  std::int64_t oldest_ms = 0;                             ///< `at` of the oldest of them, 0 if none
  std::int64_t last_seq = 0;                              ///< of the running epoch
  std::int64_t appended = 0, delivered = 0, dropped = 0;  ///< since start
};

struct StoreState {
  std::array<LaneState, kLanes> lanes;
  std::int64_t open_commands = 0, known_commands = 0, dead_letters = 0;
  std::int64_t bytes_used = 0, bytes_max = 0;
  std::int64_t commits = 0, commit_us_last = 0, commit_us_max = 0, commit_us_sum = 0, failed_commits = 0, reopened = 0;
  std::int64_t readings_lost = 0, commands_without_room = 0;  ///< since start
  std::int64_t shed = 0;  ///< events, dead letters and values of put_later() that were dropped for want of room
  bool failing = false;   ///< the file cannot be used at present
  bool disk_full = false;
};

}  // namespace metergate
