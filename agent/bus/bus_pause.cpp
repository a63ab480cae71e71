#include "agent/bus/bus_pause.h"

#include <algorithm>
#include <utility>

#include "agent/base/text.h"
#include "agent/protocol/command_text.h"

namespace metergate {

namespace {

constexpr std::int64_t kLatest = 253'402'300'799'999;  // the end of the year 9999

struct Stored {
  UtcTime from, until;
};

/// `FROM UNTIL` in milliseconds since 1970.
std::optional<Stored> parse(const std::string& text) {
  const auto parts = split(text, ' ');
  if (parts.size() != 2) return std::nullopt;
  const auto from = parse_integer(parts[0], 0, kLatest);
  const auto until = parse_integer(parts[1], 0, kLatest);
  if (!from || !until || *until < *from) return std::nullopt;
  return Stored{from_ms(*from), from_ms(*until)};
}

}  // namespace

BusPause::BusPause(Parts parts) : parts_(std::move(parts)) {
  const auto text = parts_.key_values->get(name());
  if (!text || !*text) return;
  const auto stored = parse(**text);
  if (!stored) return;
  // A clock that was set back would make the pause longer than it was meant to be.
  const UtcTime now = parts_.clock->utc();
  const Millis rest = std::min(stored->until - std::max(now, stored->from), kLongestPause);
  if (rest > Millis{0}) set(rest, now + rest);
}

void BusPause::set(Millis length, UtcTime until) {
  const std::lock_guard<std::mutex> hold(mutex_);
  ++wish_.number;
  wish_.ends = parts_.clock->mono() + length;
  wish_.until = until;
  text_ = length == Millis{0} ? "" : std::to_string(to_ms(parts_.clock->utc())) + " " + std::to_string(to_ms(until));
}

/// Stores the wish that holds, also where another one came while this one was being stored.
Status BusPause::keep() {
  for (;;) {
    std::string text;
    std::int64_t number = 0;
    {
      const std::lock_guard<std::mutex> hold(mutex_);
      text = text_;
      number = wish_.number;
    }
    Status kept = parts_.key_values->put(name(), text);
    const std::lock_guard<std::mutex> hold(mutex_);
    if (!kept || number == wish_.number) return kept;
  }
}

UtcTime BusPause::begin(Millis length) {
  length = std::clamp(length, kShortestPause, kLongestPause);
  const UtcTime now = parts_.clock->utc();
  set(length, now + length);
  parts_.wished();
  const Status kept = keep();
  if (!kept) {
    parts_.log->warn("a restart would end the pause", {{"bus", parts_.bus}, {"why", kept.error().detail}});
  }
  return now + length;
}

bool BusPause::end() {
  const bool was = wish(parts_.clock->mono()).paused;
  if (!was) return false;
  set(Millis{0}, {});
  parts_.wished();
  const Status kept = keep();
  if (!kept)
    parts_.log->warn("a restart would pause the bus again", {{"bus", parts_.bus}, {"why", kept.error().detail}});
  return true;
}

BusPause::Wish BusPause::wish(MonoTime now) const {
  const std::lock_guard<std::mutex> hold(mutex_);
  Wish wish = wish_;
  wish.paused = now < wish.ends;
  return wish;
}

void BusPause::grant(std::int64_t number) {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    granted_ = number;
  }
  parts_.granted();
}

std::optional<UtcTime> BusPause::lent() const {
  const Wish now = wish(parts_.clock->mono());
  return now.paused && granted() ? std::make_optional(now.until) : std::nullopt;
}

bool BusPause::granted() const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return granted_ == wish_.number;
}

void BusPause::forget(std::int64_t number) {
  const std::lock_guard<std::mutex> hold(mutex_);  // so that what a later wish stores comes behind it
  if (number == wish_.number) parts_.key_values->put_later(name(), "");
}

}  // namespace metergate
