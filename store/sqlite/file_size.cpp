#include "store/sqlite/file_size.h"

#include <algorithm>
#include <string>

namespace metergate {

namespace {

constexpr std::int64_t kSlackPages = 8;  // for what a transaction writes beside its records

std::int64_t pages_of(std::int64_t bytes) { return bytes / Quota::kPage + kSlackPages; }

}  // namespace

FileSize::FileSize(SqliteConnection& connection, const Quota& quota)
    : connection_(connection),
      cap_(quota.pages),
      limit_(quota.pages),
      page_count_(connection, "PRAGMA page_count"),
      free_count_(connection, "PRAGMA freelist_count") {}

void FileSize::hold(bool hold) {
  held_ = hold;
  limit_ = hold ? std::min(cap_, pages()) : cap_;
  connection_.run("PRAGMA max_page_count=" + std::to_string(limit_));
}

bool FileSize::at_limit() { return pages() + kSlackPages >= limit_; }

void FileSize::shrink(std::int64_t pages) {
  connection_.run("PRAGMA incremental_vacuum(" + std::to_string(pages) + ")");
}

std::int64_t FileSize::excess_pages(std::int64_t bytes) {
  return used_pages() + pages_of(bytes) - (limit_ - Quota::reserve(limit_));
}

bool FileSize::fits_command(std::int64_t bytes) {
  return used_pages() + pages_of(bytes) <= limit_ - Quota::last_reserve(limit_);
}

}  // namespace metergate
