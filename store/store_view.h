#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"

namespace metergate {

/// Numbers of one lane and epoch that had to go undelivered, both ends included.
struct DropEntry {
  std::int64_t key = 0;
  Lane lane = Lane::kReadings;
  std::string epoch;
  std::int64_t from_seq = 0, to_seq = 0;
  bool told = false;  ///< an event tells of it
};

struct DeadEntry {
  std::int64_t key = 0;
  UtcTime at{};
  std::string topic, why, payload;
};

struct CommandEntry {
  std::int64_t key = 0;
  std::string id, bus;
  std::string body;  ///< its payload; empty when it is done
  bool started = false, done = false;
  UtcTime received{};
  std::string result;  ///< the record that answered it, if that is kept
};

struct RecordEntry {
  std::int64_t key = 0;
  std::string bytes;
};

/// Records of a lane whose `at` lies between, both ends included.
struct RecordSpan {
  Lane lane = Lane::kReadings;
  UtcTime from{}, to{};
};

/// Some of the rows behind a key, in the order of their keys.
template <class T>
struct StorePage {
  std::vector<T> rows;
  std::int64_t next = 0;  ///< where the next page begins; 0: nothing is behind this one
};

/// What lies in the store, for people. A page reads at most 500 rows and about 512 KiB, so that it holds up nothing
/// else. Errors: kStorage, kCorrupt.
class StoreView {
 public:
  virtual ~StoreView() = default;
  virtual Result<StorePage<DropEntry>> drops(std::int64_t after) = 0;
  virtual Result<StorePage<DeadEntry>> dead_letters(std::int64_t after) = 0;
  virtual Result<StorePage<CommandEntry>> commands(std::int64_t after) = 0;
  virtual Result<StorePage<RecordEntry>> records(const RecordSpan& span, std::int64_t after) = 0;
};

/// What had no room, since the file was made.
struct LossCounts {
  std::int64_t readings_lost = 0, commands_refused = 0;
};

/// A store that no agent has open; its lock is held meanwhile. Nothing is changed.
class StoreFile : public StoreView {
 public:
  /// Errors: kLocked (a process has it), kNotFound (no such file), kInvalid (no store, or one of a newer version),
  /// kStorage, kCorrupt.
  static Result<std::unique_ptr<StoreFile>> open(const StoreSettings& settings);
  /// What waits, since when and how much the newest epoch made; the counts since start are 0.
  virtual Result<std::array<LaneState, kLanes>> lanes() = 0;
  virtual Result<LossCounts> losses() = 0;
  /// Of the agent's KeyValueStore; nothing: no such key.
  virtual Result<std::optional<std::string>> value(const std::string& key) = 0;
};

}  // namespace metergate
