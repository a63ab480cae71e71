#include "tests/sim/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cstdio>

#include "tests/sim/text.h"

namespace metersim {
namespace {

std::string head(const char* kind, Nanos now) {
  const Nanos wall = wall_now();
  char text[120];
  std::snprintf(text, sizeof text, "{\"at_ms\":%lld.%03lld,\"mono_ns\":%lld,\"kind\":\"%s\"",
                static_cast<long long>(wall / kMillisecond), static_cast<long long>(wall % kMillisecond / kMicrosecond),
                static_cast<long long>(now), kind);
  return text;
}

}  // namespace

Journal::Journal(const std::string& path, bool values) : values_(values) {
  if (path.empty()) return;
  fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd_ < 0) throw Refused("--log " + path + ": " + strerror(errno));
}

Journal::~Journal() {
  if (fd_ >= 0) close(fd_);
}

void Journal::frame(const char* kind, const Exchange& exchange, Nanos now, const std::string& more) {
  if (fd_ < 0) return;
  const Served& served = exchange.served;
  std::string line = head(kind, now) + ",\"n\":" + std::to_string(exchange.number) +
                     ",\"line\":" + json_string(exchange.line) + ",\"unit\":" + std::to_string(exchange.unit) +
                     ",\"function\":" + std::to_string(served.function);
  if (served.address >= 0) line += ",\"address\":" + std::to_string(served.address);
  if (served.count >= 0) line += ",\"count\":" + std::to_string(served.count);
  if (served.counter) line += ",\"counter\":" + std::to_string(*served.counter);
  if (values_ && !served.values.empty()) {
    char comma = '{';
    line += ",\"values\":";
    for (const auto& [name, value] : served.values) {
      line += comma + json_string(name) + ':' + value;
      comma = ',';
    }
    line += '}';
  }
  write_line(line + more + "}\n");
}

void Journal::note(const char* kind, const std::string& text, Nanos now) {
  if (fd_ >= 0) write_line(head(kind, now) + ",\"text\":" + json_string(text) + "}\n");
}

void Journal::write_line(const std::string& line) {
  if (write(fd_, line.data(), line.size()) < 0) std::perror("metersim: log");
}

}  // namespace metersim
