#pragma once

#include "store/sqlite/quota.h"
#include "store/sqlite/statement.h"

namespace metergate {

/// The pages of the database file: how many are used, and how many may be. Errors stick to the connection.
class FileSize {
 public:
  FileSize(SqliteConnection& connection, const Quota& quota);

  std::int64_t pages() { return page_count_.number_or(0); }
  std::int64_t free_pages() { return free_count_.number_or(0); }
  std::int64_t used_pages() { return pages() - free_pages(); }

  /// True: the file grows no further, since the disk is full. False: it may be as large as the cap allows.
  void hold(bool hold);
  bool held() const { return held_; }
  /// Whether the limit, not the disk, is why nothing fits.
  bool at_limit();
  /// The file is larger than it may be: the cap was lowered.
  bool above_limit() { return pages() > limit_; }
  /// Gives at most `pages` free ones back, from the end of the file; they are cut off by the next checkpoint.
  void shrink(std::int64_t pages);

  /// By how many pages `bytes` more would reach into the reserve; 0 or less: they fit.
  std::int64_t excess_pages(std::int64_t bytes);
  /// Pages freed beyond the excess, so that not every commit has to free some.
  std::int64_t spare_pages() const { return limit_ / 256; }
  /// Whether a command of so many bytes fits into the reserve and leaves the last part of it.
  bool fits_command(std::int64_t bytes);

 private:
  SqliteConnection& connection_;
  const std::int64_t cap_;
  std::int64_t limit_;
  bool held_ = false;
  Statement page_count_, free_count_;
};

}  // namespace metergate
