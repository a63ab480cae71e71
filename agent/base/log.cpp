#include "agent/base/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/base/utf8.h"

namespace metergate {

namespace {

constexpr const char* kHex = "0123456789abcdef";
constexpr std::size_t kLongestText = 1000;  // of a message or field: a line stays below what a pipe takes at once

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      break;
  }
  return "debug";
}

/// systemd.exec(5): the variable holds `device:inode` of the stream that goes to the journal.
bool goes_to_journal(int fd) {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  if (stream == nullptr || fstat(fd, &info) != 0) return false;
  return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) == stream;
}

/// Nothing in it ends the line, nor the string it stands in, whoever sent the text.
std::string escaped(std::string_view text, bool in_quotes = true) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (out.size() > kLongestText) return out + "...";
    const char c = text[i];
    const std::size_t length = utf8_length(text, i);
    if (length == 0) {
      out += "\xEF\xBF\xBD";  // U+FFFD, the replacement character
    } else if (in_quotes && (c == '"' || c == '\\')) {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[c & 15];
    } else {
      out += text.substr(i, length);
    }
    i += length == 0 ? 1 : length;
  }
  return out;
}

std::string field_value(const std::string& value) {
  const std::string safe = escaped(value);
  const bool bare = !value.empty() && safe == value && value.find_first_of(" =") == std::string::npos;
  return bare ? value : "\"" + safe + "\"";
}

}  // namespace

Log::Log(LogLevel level, LogFormat format, const Clock& clock, int fd)
    : level_(level), format_(format), clock_(clock), fd_(fd), journal_(goes_to_journal(fd)) {}

void Log::line(LogLevel level, std::string_view message, Fields fields) {
  if (static_cast<int>(level) > static_cast<int>(level_)) return;
  const std::string stamp = rfc3339(clock_.utc()) + " " + level_name(level) + " ";
  std::string out;
  if (format_ == LogFormat::kJson) {
    out += R"({"at":")" + rfc3339(clock_.utc()) + R"(","level":")" + level_name(level) + R"(","message":")" +
           escaped(message) + "\"";
    for (const auto& [key, value] : fields) out += ",\"" + escaped(key) + "\":\"" + escaped(value) + "\"";
    out += "}";
  } else {
    out += escaped(message, false);
    for (const auto& [key, value] : fields) out += " " + std::string(key) + "=" + field_value(value);
  }
  const std::string front = format_ == LogFormat::kJson ? "" : stamp;
  keep(front + out);
  // The journal has time and level of its own.
  out.insert(0, journal_ ? "<" + std::to_string(static_cast<int>(level)) + ">" : front);
  out += "\n";
  while (::write(fd_, out.data(), out.size()) < 0 && errno == EINTR) {
  }
}

void Log::keep(std::string line) {
  const std::lock_guard<std::mutex> hold(mutex_);
  bytes_ += line.size() + 1;
  kept_.push_back(std::move(line));
  while (bytes_ > kKept) {
    bytes_ -= kept_.front().size() + 1;
    kept_.pop_front();
  }
}

std::vector<std::string> Log::newest(std::size_t lines) const {
  const std::lock_guard<std::mutex> hold(mutex_);
  const auto many = static_cast<std::ptrdiff_t>(std::min(lines, kept_.size()));
  return {kept_.end() - many, kept_.end()};
}

}  // namespace metergate
