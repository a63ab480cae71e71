#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "agent/base/log.h"

namespace metergate {

/// A Log whose lines can be read.
class CapturedLog {
 public:
  explicit CapturedLog(const Clock& clock)
      : fd_(memfd_create("log", 0)), log(LogLevel::kDebug, LogFormat::kText, clock, fd_) {}
  ~CapturedLog() { ::close(fd_); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  std::string text() const {
    std::string text(static_cast<std::size_t>(lseek(fd_, 0, SEEK_CUR)), '\0');
    const ssize_t n = pread(fd_, text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  }
  /// How many lines hold the words.
  int count(const std::string& words) const {
    const std::string all = text();
    int n = 0;
    for (std::size_t at = all.find(words); at != std::string::npos; at = all.find(words, at + 1)) ++n;
    return n;
  }

 private:
  int fd_;

 public:
  Log log;
};

}  // namespace metergate
