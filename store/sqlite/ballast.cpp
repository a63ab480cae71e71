#include "store/sqlite/ballast.h"

#include <filesystem>
#include <utility>

namespace metergate {

namespace {

constexpr Millis kFullPause{10'000};
constexpr Millis kFailedPause{60'000};

}  // namespace

Ballast::Ballast(std::string path, std::int64_t bytes, FileSystem& files, Log& log)
    : path_(std::move(path)), bytes_(bytes), files_(files), log_(log) {}

bool Ballast::there() const {
  std::error_code error;
  const auto size = std::filesystem::file_size(path_, error);
  return !error && size == static_cast<std::uintmax_t>(bytes_);
}

void Ballast::make(MonoTime now) {
  const Status done = there() ? Status() : files_.allocate(path_, bytes_);
  const bool full = !done && done.error().code == Errc::kFull;
  due_ = done ? MonoTime::max() : now + (full ? kFullPause : kFailedPause);
  if (!done && !disk_full_) log_.warn("cannot make the store's ballast file", {{"why", done.error().detail}});
  disk_full_ = full;
}

void Ballast::give_back(MonoTime now) {
  if (Status done = files_.remove(path_); !done) {
    log_.warn("cannot remove the store's ballast file", {{"why", done.error().detail}});
  }
  disk_full_ = true;
  due_ = now + kFullPause;
}

}  // namespace metergate
