#pragma once

#include <deque>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/clock.h"

namespace metergate {

enum class LogLevel { kError = 3, kWarning = 4, kInfo = 6, kDebug = 7 };  // syslog(3) priorities
enum class LogFormat { kText, kJson };

/// Lines to stderr, one write(2) each; the newest 64 KiB are also kept in memory. With the journal at the other end
/// (JOURNAL_STREAM names this descriptor) each starts with `<priority>`. Safe for concurrent calls. Never given a
/// secret.
class Log {
 public:
  using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;

  Log(LogLevel level, LogFormat format, const Clock& clock, int fd = 2);
  void error(std::string_view message, Fields fields = {}) { line(LogLevel::kError, message, fields); }
  void warn(std::string_view message, Fields fields = {}) { line(LogLevel::kWarning, message, fields); }
  void info(std::string_view message, Fields fields = {}) { line(LogLevel::kInfo, message, fields); }
  void debug(std::string_view message, Fields fields = {}) { line(LogLevel::kDebug, message, fields); }

  static constexpr std::size_t kKept = 64 << 10;  ///< bytes
  /// The newest lines, the oldest of them first, without line breaks; each begins with its time.
  std::vector<std::string> newest(std::size_t lines) const;

 private:
  void line(LogLevel level, std::string_view message, Fields fields);
  void keep(std::string line);
  LogLevel level_;
  LogFormat format_;
  const Clock& clock_;
  int fd_;
  bool journal_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<std::string> kept_;
  std::size_t bytes_ = 0;
};

}  // namespace metergate
