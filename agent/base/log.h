#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "agent/base/clock.h"

namespace metergate {

enum class LogLevel { kError = 3, kWarning = 4, kInfo = 6, kDebug = 7 };  // syslog(3) priorities
enum class LogFormat { kText, kJson };

/// Lines to stderr, one write(2) each. With the journal at the other end (JOURNAL_STREAM names this descriptor) each
/// starts with `<priority>`. Safe for concurrent calls. Never given a secret.
class Log {
 public:
  using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;

  Log(LogLevel level, LogFormat format, const Clock& clock, int fd = 2);
  void error(std::string_view message, Fields fields = {}) { line(LogLevel::kError, message, fields); }
  void warn(std::string_view message, Fields fields = {}) { line(LogLevel::kWarning, message, fields); }
  void info(std::string_view message, Fields fields = {}) { line(LogLevel::kInfo, message, fields); }
  void debug(std::string_view message, Fields fields = {}) { line(LogLevel::kDebug, message, fields); }

 private:
  void line(LogLevel level, std::string_view message, Fields fields);
  LogLevel level_;
  LogFormat format_;
  const Clock& clock_;
  int fd_;
  bool journal_;
};

/// A state that repeats is logged when it changes and then once an hour with a count. Safe for concurrent calls.
class LogThrottle {
 public:
  explicit LogThrottle(Millis pause = std::chrono::hours(1)) : pause_(pause) {}
  /// How many times `state` of `source` was seen since it was last logged (>= 1) when it is to be logged now, else 0.
  std::int64_t due(const std::string& source, const std::string& state, MonoTime now);

 private:
  struct Entry {
    std::string state;
    MonoTime logged;
    std::int64_t count = 0;
  };
  Millis pause_;
  std::mutex mutex_;  // guards entries_
  std::map<std::string, Entry> entries_;
};

/// Whether a change of something is to be logged: as it comes, but of one that changes all the time some changes and
/// then one in ten minutes. For one thing each.
class Changes {
 public:
  /// How many changes there were since one was last logged (>= 1) when this one is to be logged, else 0.
  std::int64_t due(MonoTime now);

 private:
  static constexpr int kAtOnce = 6;
  static constexpr Millis kPause{600'000};
  MonoTime spent_until_ = MonoTime::min();
  std::int64_t count_ = 0;
};

}  // namespace metergate
