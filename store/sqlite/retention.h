#pragma once

#include <array>

#include "store/sqlite/schema.h"
#include "store/store.h"

namespace metergate {

/// How long records have been delivered, in running time. Marks say up to which key a lane was delivered at a certain
/// running time of the file, so that no row has to hold its time of delivery. Errors stick to the connection.
class Retention {
 public:
  enum class Kind { kReadings, kResults, kEvents, kAnswers };  ///< kAnswers: results, for the ids of done commands

  Retention(SqliteConnection& connection, Millis keep_sent);

  /// Writes a mark that everything up to `key` is delivered, unless the last one is too new. True if it did.
  bool note(Kind kind, std::int64_t run_ms, std::int64_t key);
  /// Everything up to this key is delivered for so long that it may be deleted. Deletes older marks.
  std::int64_t passed(Kind kind, std::int64_t run_ms);
  /// Reads the newest marks again; needed after a transaction that was rolled back.
  void load();
  /// The shortest time between two marks.
  Millis pitch() const;

 private:
  struct Line {
    std::int64_t keep_ms, pitch_ms;
    std::int64_t noted_ms = 0, noted_key = 0;
  };
  Line& on(Kind kind) { return lines_[static_cast<std::size_t>(kind)]; }

  std::array<Line, 4> lines_;
  Statement newest_, insert_, passed_, trim_;
};

}  // namespace metergate
