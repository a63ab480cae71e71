#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "store/store.h"

namespace metergate {

/// What is known of the file without reading it. A transaction that fails restores the copy made at its begin.
struct Counters {
  using PerLane = std::array<std::int64_t, kLanes>;

  /// What had no room and is counted in its place; see CountedLosses.
  struct LossCount {
    std::int64_t count = 0;               ///< since the file was made
    std::int64_t told = 0;                ///< of these
    std::int64_t from_ms = 0, to_ms = 0;  ///< when those happened that are not told
    std::int64_t untold() const { return count - told; }
  };

  // In the table `counters`. Written with every transaction that deletes or moves a cursor, else once a minute; what
  // was inserted since then is counted again at the next opening, by `counted_to`.
  std::int64_t run_ms = 0;      ///< running time of all processes on this file
  std::int64_t key_floor = 0;   ///< no key up to this one is ever given again
  std::int64_t counted_to = 0;  ///< the counts below cover rows up to this key
  std::int64_t known_commands = 0;
  std::int64_t kept_bytes = 0;  ///< of done commands
  PerLane sent{}, delivered{};  ///< cursors: everything up to this key
  PerLane waiting{};            ///< records behind `delivered`
  PerLane last_seq{};           ///< of the running epoch
  LossCount lost, refused;      ///< readings, commands

  // Not in the file.
  std::int64_t next_key = 1;
  std::int64_t open_commands = 0;
  std::int64_t dead_first = 1, dead_next = 1;  ///< ids of dead letters: [first, next)
  PerLane untold_ranges{};                     ///< dropped ranges that no event tells yet
  PerLane held{};                         ///< given to be sent: up to this key nothing is evicted before it is sent
  PerLane appended{}, done{}, dropped{};  ///< since start
  bool unsaved = false;                   ///< the counters must go with this transaction

  /// Ids of the rows, those of lanes + lane. An id is never used for another meaning.
  enum Id {
    kRunMs = 1,
    kKeyFloor = 2,
    kCountedTo = 3,
    kKnownCommands = 4,
    kKeptBytes = 5,
    kLost = 6,      // 6 to 9
    kRefused = 50,  // 50 to 53
    kSent = 10,
    kDelivered = 20,
    kWaiting = 30,
    kLastSeq = 40
  };
  /// Calls f(id, value) for each counter of the file.
  template <class F>
  void each_counter(F f) {
    f(kRunMs, run_ms);
    f(kKeyFloor, key_floor);
    f(kCountedTo, counted_to);
    f(kKnownCommands, known_commands);
    f(kKeptBytes, kept_bytes);
    const auto each_loss = [&](int id, LossCount& losses) {
      f(id, losses.count);
      f(id + 1, losses.told);
      f(id + 2, losses.from_ms);
      f(id + 3, losses.to_ms);
    };
    each_loss(kLost, lost);
    each_loss(kRefused, refused);
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto i = static_cast<std::size_t>(lane);
      f(kSent + lane, sent[i]);
      f(kDelivered + lane, delivered[i]);
      f(kWaiting + lane, waiting[i]);
      f(kLastSeq + lane, last_seq[i]);
    }
  }
};

inline std::size_t index_of(Lane lane) { return static_cast<std::size_t>(lane); }

}  // namespace metergate
