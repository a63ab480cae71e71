#include "agent/uplink/duplicate_watch.h"

#include <algorithm>
#include <cstdlib>

namespace metergate {

namespace {
const char* const kLeft = "agent.duplicate_ms";  // key in the store: what is left of the ban, as a decimal number
}

Status DuplicateWatch::restore(MonoTime now) {
  const auto left = key_values_.get(kLeft);
  if (!left) return left.error();
  const Millis length{std::strtoll(left->value_or("0").c_str(), nullptr, 10)};
  if (length > Millis{0}) ban(std::min(length, kQuarantine), now);
  return {};
}

void DuplicateWatch::step(MonoTime now) {
  if (now < next_note_) return;
  const Nanos left = std::max(MonoTime(Nanos{until_.load()}) - now, Nanos{0});
  key_values_.put_later(kLeft, std::to_string(left / Millis{1}));
  next_note_ = left > Nanos{0} ? now + std::min<Nanos>(left, kNoteEvery) : MonoTime::max();
}

void DuplicateWatch::ban(Nanos length, MonoTime now) {
  until_ = (now + length).time_since_epoch().count();
  next_note_ = now + std::min<Nanos>(length, kNoteEvery);
}

bool DuplicateWatch::seen(const std::string& epoch, MonoTime now) {
  const bool fresh = epoch != last_ && now >= answer_after_;
  last_ = epoch;
  if (fresh) answer_after_ = now + kAnswerEvery;  // three gateways would answer each other for ever
  const bool banned = !writes_allowed(now);
  ban(kQuarantine, now);
  const std::string length = std::to_string(kQuarantine.count());
  // A store that cannot keep it leaves the ban of this run.
  if (banned) {
    key_values_.put_later(kLeft, length);
  } else {
    static_cast<void>(key_values_.put(kLeft, length));
  }
  return fresh;
}

}  // namespace metergate
