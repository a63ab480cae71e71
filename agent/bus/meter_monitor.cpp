#include "agent/bus/meter_monitor.h"

#include <algorithm>
#include <map>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "drivers/profile/profile_check.h"

namespace metergate {

namespace {
constexpr std::string_view kAt = "@";
constexpr std::string_view kBasis = "#";
constexpr Millis kLongestAbsence = std::chrono::hours(24 * 366);
}  // namespace

MeterMonitor::MeterMonitor(const BusParts& parts, std::size_t meter)
    : p_(parts),
      meter_(meter),
      serial_point_(config().profile->find("serial_number")),
      counters_(*parts.config, meter),
      ratios_(*config().profile),
      unsupported_(*config().profile),
      kept_(*p_.key_values, "meter." + id()),
      kept_unsupported_(*p_.key_values, "refused." + id()) {
  restore(kept_.get());
  unsupported_.restore(kept_unsupported_.get(), p_.clock->mono(), p_.clock->utc());
  p_.serials->add(id(), config().spec.serial, own_);
}

void MeterMonitor::begin(PollJob& job, MonoTime now) {
  round_ = {};
  unsupported_.forget_old(now);
  if (!due_ && now - shown_ >= kSerialKept) due_ = true;
  if (due_) ask_identity(job, now);
}

bool MeterMonitor::ask_identity(PollJob& job, MonoTime now) {
  std::vector<const Point*> points = ratios_.points();
  if (serial_point_ != nullptr) points.push_back(serial_point_);
  if (points.empty() || now < not_before_ || std::exchange(round_.identity, true)) return false;
  job.ask(points);
  return job.next().has_value();
}

bool MeterMonitor::look(PollJob& job, MonoTime now) {
  const std::vector<const Point*> fallen = counters_.fallen_in(job);
  const std::optional<std::string> found = serial_in(job);
  const bool other = found && !own_.empty() && *found != own_;
  if (!fallen.empty() && !other && !std::exchange(round_.second_read, true)) {
    for (const Point* point : fallen) job.ask_again(*point);
    return true;
  }
  if (!fallen.empty() && !found) {
    due_ = true;
    if (ask_identity(job, now)) return true;
  }
  if (other && !std::exchange(round_.counters, true)) {
    job.ask(counters_.points());
    if (job.next()) return true;
  }
  if (found) take_serial(*found, job);
  if (found || (serial_point_ == nullptr && ratios_.answered_in(job))) {
    identified(now, !fallen.empty());
  } else if (round_.identity && job.saw_frame()) {
    not_before_ = now + pause_;
    pause_ = std::min(pause_ * 4, kSerialKept);
  }
  take_ratios(job);
  take_counters(job, now);
  return false;
}

/// Nothing where it shows none: an empty text, or zeros as of a meter that is starting.
std::optional<std::string> MeterMonitor::serial_in(const PollJob& job) const {
  const Value* value = serial_point_ != nullptr ? job.fresh(*serial_point_) : nullptr;
  if (value == nullptr || plain_serial(value->text).empty()) return std::nullopt;
  return std::string(trim(value->text));
}

void MeterMonitor::identified(MonoTime now, bool by_doubt) {
  due_ = false;
  shown_ = now;
  pause_ = kUnansweredPause;
  not_before_ = by_doubt ? now + kSerialPause : MonoTime{};
}

void MeterMonitor::take_serial(const std::string& found, const PollJob& job) {
  sure_ = true;
  if (found != own_) {
    if (!own_.empty()) tell_exchange(found, job);
    own_ = found;
    kept_.changed(true);
  }
  if (std::exchange(told_, found) != found) tell_mismatch(found);
}

void MeterMonitor::tell_exchange(const std::string& found, const PollJob& job) {
  p_.log->warn("meter exchanged", {{"meter", id()}, {"old", own_}, {"new", found}});
  JsonWriter json;
  json.member("meter", id()).member("old", own_).member("new", found).key("last").begin_object();
  for (const CounterWatch::Counter& counter : counters_.counters()) {
    if (counter.last) json.key(counter.point->name).raw_number(counter.last->text());
  }
  json.end_object().key("first").begin_object();
  for (const Point* point : counters_.points()) {
    const Value* value = job.fresh(*point);
    if (value != nullptr && value->number) json.key(point->name).raw_number(value->text);
  }
  p_.events->tell("meter_exchanged", id(), json.end_object().take());
  counters_.forget();
  unsupported_.forget();
}

void MeterMonitor::tell_mismatch(const std::string& found) {
  const std::string& flag = config().spec.serial;
  const std::string known_as = p_.serials->shown(id(), found);
  const bool differs = !flag.empty() && plain_serial(flag) != plain_serial(found);
  if (!differs && known_as.empty()) return;
  p_.log->warn("meter has another serial number than expected",
               {{"meter", id()}, {"serial", found}, {"expected", flag}, {"known_as", known_as}});
  JsonWriter json;
  json.member("meter", id()).member("serial", found);
  if (differs) json.member("expected", flag);
  if (!known_as.empty()) json.member("known_as", known_as);
  p_.events->tell("meter_mismatch", id(), json.take());
}

void MeterMonitor::take_ratios(const PollJob& job) {
  for (const RatioWatch::Change& change : ratios_.take(job)) {
    kept_.changed(true);
    if (change.from.empty()) continue;
    p_.log->warn("transformer ratio of the meter changed",
                 {{"meter", id()}, {"point", change.point}, {"from", change.from}, {"to", change.to}});
    JsonWriter json;
    json.member("meter", id()).member("point", change.point).key("old").raw_number(change.from);
    json.key("new").raw_number(change.to);
    p_.events->tell("ratio_changed", id() + "/" + change.point, json.take());
  }
}

void MeterMonitor::take_counters(const PollJob& job, MonoTime now) {
  const CounterWatch::Taken taken = counters_.take(job, now);
  if (taken.changed) kept_.changed(!taken.falls.empty());
  for (const CounterWatch::Fall& fall : taken.falls) tell_fall(fall);
}

void MeterMonitor::tell_fall(const CounterWatch::Fall& fall) {
  const std::string& point = fall.point->name;
  p_.log->warn("counter fell", {{"meter", id()}, {"point", point}, {"from", fall.from.text()}, {"to", fall.to.text()}});
  JsonWriter json;
  json.member("meter", id()).member("point", point).key("from").raw_number(fall.from.text());
  json.key("to").raw_number(fall.to.text()).member("how", fall.how);
  p_.events->tell("counter_fell", id() + "/" + point, json.take());
}

void MeterMonitor::mark(Reading& reading, std::size_t poll) {
  reading.serial = serial();
  counters_.mark(reading, poll);
}

void MeterMonitor::out_of_sight() {
  due_ = true;
  sure_ = false;
  not_before_ = {};
  pause_ = kUnansweredPause;
}

void MeterMonitor::silent() {
  out_of_sight();
  unsupported_.forget();
}

void MeterMonitor::keep(MonoTime now) {
  if (kept_.due(now)) kept_.keep(text(), now);
  if (unsupported_.take_changed()) kept_unsupported_.changed(true);
  if (kept_unsupported_.due(now)) kept_unsupported_.keep(unsupported_.text(now, p_.clock->utc()), now);
}

/// What gives a value its meaning: under another it is not compared.
std::string MeterMonitor::basis(const Point& point) const {
  const std::string digest = digest_of(*config().profile, point);
  return point.ratio == Ratio::kNone ? digest : digest + "/" + config().spec.ct + "/" + config().spec.pt;
}

/// ` @=MILLISECONDS NAME=VALUE NAME#=BASIS ...;SERIAL`; @, which is no point's name, is the time of it by a synced
/// clock.
std::string MeterMonitor::text() const {
  std::string out =
      p_.clock->synced() ? " " + std::string(kAt) + "=" + std::to_string(to_ms(p_.clock->utc())) : std::string();
  out += counters_.text() + ratios_.text();
  for (const Point* point : kept_points()) out += " " + point->name + std::string(kBasis) + "=" + basis(*point);
  return out + ";" + own_;
}

std::vector<const Point*> MeterMonitor::kept_points() const {
  std::vector<const Point*> points = counters_.points();
  const std::vector<const Point*> ratios = ratios_.points();
  points.insert(points.end(), ratios.begin(), ratios.end());
  return points;
}

/// Nothing where the clock is, or was, not to be trusted.
std::optional<MonoTime> MeterMonitor::seen_at(const std::string& text) const {
  const auto at = parse_integer(text, 0, to_ms(UtcTime::max()));
  const Millis age = at ? p_.clock->utc() - from_ms(*at) : Millis{-1};
  if (age < Millis{0} || age > kLongestAbsence || !p_.clock->synced()) return std::nullopt;
  return p_.clock->mono() - age;
}

void MeterMonitor::restore(const std::string& text) {
  const auto end = text.find(';');
  if (end == std::string::npos) return;
  own_ = text.substr(end + 1);
  std::map<std::string, std::string> values;
  for (const std::string& word : split(text.substr(0, end), ' ')) {
    const auto equals = word.find('=');
    if (equals != std::string::npos) values[word.substr(0, equals)] = word.substr(equals + 1);
  }
  for (const Point* point : kept_points()) {
    const auto value = values.find(point->name), under = values.find(point->name + std::string(kBasis));
    if (value == values.end() || under == values.end() || under->second != basis(*point)) continue;
    counters_.restore(point->name, value->second);
    ratios_.restore(point->name, value->second);
  }
  if (const auto seen = seen_at(values[std::string(kAt)])) counters_.restore_time(*seen);
}

}  // namespace metergate
