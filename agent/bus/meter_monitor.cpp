#include "agent/bus/meter_monitor.h"

#include <algorithm>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace metergate {

namespace {

constexpr int kAboutZero = 100;  // a counter that was reset: at most one part in so many of what it was
constexpr int kWrapStep = 10;    // one that wrapped: it went at most one part in so many of its range

}  // namespace

MeterMonitor::MeterMonitor(Parts parts)
    : p_(parts),
      serial_point_(config().profile->find("serial_number")),
      ratios_(*config().profile),
      refused_(*config().profile),
      values_(p_.memory, "meter." + id()),
      refused_memory_(p_.memory, "refused." + id()) {
  for (const PollConfig& poll : p_.config.polls) {
    if (poll.meter != p_.meter) continue;
    for (const Point* point : poll.points) {
      const auto same = [point](const Counter& c) { return c.point == point; };
      const bool known = std::any_of(counters_.begin(), counters_.end(), same);
      if (point->kind == PointKind::kCounter && !known) counters_.push_back({point, std::nullopt});
    }
  }
  restore(values_.get());
  refused_.restore(refused_memory_.get(), p_.clock.mono(), p_.clock.utc());
  p_.serials.add(id(), config().spec.serial, own_);
}

void MeterMonitor::begin(PollJob& job, MonoTime now) {
  round_ = {};
  refused_.forget_old(now);
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
  const std::vector<std::size_t> fallen = fallen_in(job);
  const std::optional<std::string> found = serial_in(job);
  const bool other = found && !own_.empty() && *found != own_;
  if (!fallen.empty() && !other && !std::exchange(round_.second_read, true)) {
    for (const std::size_t i : fallen) job.ask_again(*counters_[i].point);
    return true;
  }
  if (!fallen.empty() && !found) {
    due_ = true;
    if (ask_identity(job, now)) return true;
  }
  if (other && !std::exchange(round_.counters, true)) {
    std::vector<const Point*> points;
    for (const Counter& counter : counters_) points.push_back(counter.point);
    job.ask(points);
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
  take_counters(job);
  return false;
}

std::vector<std::size_t> MeterMonitor::fallen_in(const PollJob& job) const {
  std::vector<std::size_t> fallen;
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    if (!counters_[i].last) continue;
    const auto value = job.fresh(*counters_[i].point);
    if (value && value->number && *value->number < *counters_[i].last) fallen.push_back(i);
  }
  return fallen;
}

/// Nothing where it shows none: an empty text, or zeros as of a meter that is starting.
std::optional<std::string> MeterMonitor::serial_in(const PollJob& job) const {
  const auto value = serial_point_ != nullptr ? job.fresh(*serial_point_) : std::nullopt;
  if (!value || plain_serial(value->text).empty()) return std::nullopt;
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
    values_.changed(true);
  }
  if (std::exchange(told_, found) != found) tell_mismatch(found);
}

void MeterMonitor::tell_exchange(const std::string& found, const PollJob& job) {
  p_.log.warn("meter exchanged", {{"meter", id()}, {"old", own_}, {"new", found}});
  JsonWriter json;
  json.member("meter", id()).member("old", own_).member("new", found).key("last").begin_object();
  for (const Counter& counter : counters_) {
    if (counter.last) json.key(counter.point->name).raw_number(counter.last->text());
  }
  json.end_object().key("first").begin_object();
  for (Counter& counter : counters_) {
    const auto value = job.fresh(*counter.point);
    if (value && value->number) json.key(counter.point->name).raw_number(value->text);
    counter.last.reset();
  }
  p_.events.tell("meter_exchanged", id(), json.end_object().take());
  owed_.clear();
  refused_.forget();
}

void MeterMonitor::tell_mismatch(const std::string& found) {
  const std::string& flag = config().spec.serial;
  const std::string known_as = p_.serials.shown(id(), found);
  const bool differs = !flag.empty() && plain_serial(flag) != plain_serial(found);
  if (!differs && known_as.empty()) return;
  p_.log.warn("meter has another serial number than expected",
              {{"meter", id()}, {"serial", found}, {"expected", flag}, {"known_as", known_as}});
  JsonWriter json;
  json.member("meter", id()).member("serial", found);
  if (differs) json.member("expected", flag);
  if (!known_as.empty()) json.member("known_as", known_as);
  p_.events.tell("meter_mismatch", id(), json.take());
}

void MeterMonitor::take_ratios(const PollJob& job) {
  for (const RatioWatch::Change& change : ratios_.take(job)) {
    values_.changed(true);
    if (change.from.empty()) continue;
    p_.log.warn("transformer ratio of the meter changed",
                {{"meter", id()}, {"point", change.point}, {"from", change.from}, {"to", change.to}});
    JsonWriter json;
    json.member("meter", id()).member("point", change.point).key("old").raw_number(change.from);
    json.key("new").raw_number(change.to);
    p_.events.tell("ratio_changed", id() + "/" + change.point, json.take());
  }
}

void MeterMonitor::take_counters(const PollJob& job) {
  for (Counter& counter : counters_) {
    const auto value = job.fresh(*counter.point);
    if (!value || !value->number || (counter.last && *counter.last == *value->number)) continue;
    const bool fell = counter.last && *value->number < *counter.last;
    if (fell) tell_fall(counter, *value->number);
    counter.last = value->number;
    values_.changed(fell);
  }
}

void MeterMonitor::tell_fall(const Counter& counter, const Decimal& value) {
  const How how = how_it_fell(*counter.point, *counter.last, value);
  const std::string& point = counter.point->name;
  const std::string word = how == How::kWrapped ? "wrapped" : how == How::kReset ? "reset" : "fell";
  p_.log.warn("counter fell",
              {{"meter", id()}, {"point", point}, {"from", counter.last->text()}, {"to", value.text()}});
  JsonWriter json;
  json.member("meter", id()).member("point", point).key("from").raw_number(counter.last->text());
  json.key("to").raw_number(value.text()).member("how", word);
  p_.events.tell("counter_fell", id() + "/" + point, json.take());
  if (how == How::kWrapped) return;
  for (std::size_t i = 0; i < p_.config.polls.size(); ++i) {
    const PollConfig& poll = p_.config.polls[i];
    const auto& points = poll.points;
    if (poll.meter != p_.meter || std::find(points.begin(), points.end(), counter.point) == points.end()) continue;
    const auto same = [&](const Owed& owed) { return owed.poll == i && owed.point == counter.point; };
    owed_.erase(std::remove_if(owed_.begin(), owed_.end(), same), owed_.end());
    owed_.push_back({i, counter.point, word});
  }
}

MeterMonitor::How MeterMonitor::how_it_fell(const Point& point, const Decimal& from, const Decimal& to) {
  if (point.wraps) {
    const auto rest = point.wraps->plus(from.negated());
    const auto step = rest ? rest->plus(to) : std::nullopt;
    const auto most = step ? step->times(Decimal(kWrapStep)) : std::nullopt;
    if (most && from < *point.wraps && !(to < Decimal()) && !(*point.wraps < *most)) return How::kWrapped;
  }
  const auto scaled = (to < Decimal() ? to.negated() : to).times(Decimal(kAboutZero));
  return scaled && !(from < *scaled) ? How::kReset : How::kFell;
}

void MeterMonitor::mark(Reading& reading, std::size_t poll) {
  reading.serial = serial();
  for (auto it = owed_.begin(); it != owed_.end();) {
    const std::string& point = it->point->name;
    const auto named = [&point](const auto& pair) { return pair.first == point; };
    if (it->poll != poll || std::none_of(reading.values.begin(), reading.values.end(), named)) {
      ++it;
      continue;
    }
    auto flags = std::find_if(reading.flags.begin(), reading.flags.end(), named);
    if (flags == reading.flags.end()) flags = reading.flags.insert(flags, {point, {}});
    flags->second.push_back(it->flag);
    it = owed_.erase(it);
  }
}

void MeterMonitor::out_of_sight() {
  due_ = true;
  sure_ = false;
  not_before_ = {};
  pause_ = kUnansweredPause;
}

void MeterMonitor::silent() {
  out_of_sight();
  refused_.forget();
}

void MeterMonitor::keep(MonoTime now) {
  if (values_.due(now)) values_.keep(text(), now);
  if (refused_.take_changed()) refused_memory_.changed(true);
  if (refused_memory_.due(now)) refused_memory_.keep(refused_.text(now, p_.clock.utc()), now);
}

/// What gives the counters their meaning: under another they are not compared.
std::string MeterMonitor::basis() const {
  return config().profile->digest + "/" + config().spec.ct + "/" + config().spec.pt;
}

/// `BASIS NAME=VALUE ...;SERIAL`
std::string MeterMonitor::text() const {
  std::string out = basis();
  for (const Counter& counter : counters_) {
    if (counter.last) out += " " + counter.point->name + "=" + counter.last->text();
  }
  return out + ratios_.text() + ";" + own_;
}

void MeterMonitor::restore(const std::string& text) {
  const auto end = text.find(';');
  if (end == std::string::npos) return;
  own_ = text.substr(end + 1);
  const auto words = split(text.substr(0, end), ' ');
  if (words.front() != basis()) return;
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = word.substr(0, equals), value = word.substr(equals + 1);
    for (Counter& counter : counters_) {
      if (counter.point->name == name) counter.last = Decimal::parse(value);
    }
    ratios_.restore(name, value);
  }
}

}  // namespace metergate
