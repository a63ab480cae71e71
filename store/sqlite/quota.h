#pragma once

#include <algorithm>
#include <cstdint>

namespace metergate {

/// How the cap is shared out: database file + WAL + ballast = max_bytes. Pages are SQLite's, of 4096 bytes.
struct Quota {
  static constexpr std::int64_t kPage = 4096;

  explicit Quota(std::int64_t max_bytes)
      : wal_pages(std::clamp<std::int64_t>(max_bytes / kPage / 32, 64, 250)),
        batch_bytes(wal_pages * kPage / 2),
        ballast_bytes(wal_pages * 2 * kPage),
        young_pages(std::min<std::int64_t>(wal_pages, 128)),
        pages((max_bytes - 3 * wal_pages * (kPage + 24) - ballast_bytes) / kPage),
        kept_bytes(max_bytes / 4),
        catalog_bytes(max_bytes / 16) {}

  std::int64_t wal_pages;      ///< the WAL is written back from here on; the next transaction may add twice as much
  std::int64_t batch_bytes;    ///< of records in one transaction at most
  std::int64_t ballast_bytes;  ///< given back when the disk itself is full, so that the WAL can still be written back
  std::int64_t young_pages;    ///< pages of a new database file, most of them free
  std::int64_t pages;          ///< of the database file at most
  std::int64_t kept_bytes;     ///< ids and results of done commands
  std::int64_t catalog_bytes;  ///< of one catalog at most

  /// Of so many pages those that only results, commands, `started` and `records_dropped` may take.
  static std::int64_t reserve(std::int64_t pages) { return std::min<std::int64_t>(pages / 8, 4096); }
  /// Of these those that are left for the results of open commands, `started` and `records_dropped`.
  static std::int64_t last_reserve(std::int64_t pages) { return reserve(pages) / 4; }
};

}  // namespace metergate
