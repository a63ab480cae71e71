#include "agent/bus/missed_slots.h"

#include <algorithm>
#include <utility>

#include "agent/base/json.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"

namespace metergate {

namespace {
std::string reason_of(const Schedule::Missed& missed) {
  return missed.why == Schedule::Why::kPause ? "pause" : "overload";
}
}  // namespace

void MissedSlots::tell(Schedule& schedule, MonoTime now) {
  if (!schedule.behind()) overload_told_ = false;
  if (now - told_ < kPause) return;
  const std::vector<Schedule::Missed> all = schedule.take_missed();
  if (all.empty()) return;
  told_ = now;
  for (const Schedule::Missed& missed : all) {
    const PollConfig& poll = p_.config->polls[missed.poll];
    p_.events->tell("slots_missed", meters_.state(poll.meter).id + "/" + poll.name + "/" + reason_of(missed),
                    note(missed));
  }
  const bool overload =
      std::any_of(all.begin(), all.end(), [](const auto& m) { return m.why == Schedule::Why::kOverload; });
  if (overload && !std::exchange(overload_told_, true)) tell_overload(all.size());
}

/// Past the pause of the events, whose count would be another than that of the slots.
void MissedSlots::finish(Schedule& schedule) {
  std::vector<Draft> drafts;
  for (const Schedule::Missed& missed : schedule.take_missed()) {
    drafts.push_back(event_draft(stamp_of(*p_.clock), "slots_missed", "{" + note(missed) + "}"));
  }
  if (!drafts.empty()) p_.outbox->append(std::move(drafts));
}

/// Counts them; returns the event's members.
std::string MissedSlots::note(const Schedule::Missed& missed) {
  const PollConfig& poll = p_.config->polls[missed.poll];
  MeterState& state = meters_.state(poll.meter);
  state.slots_missed += missed.count;
  JsonWriter json;
  json.member("meter", state.id).member("poll", poll.name).member("from", rfc3339(missed.from));
  json.member("to", rfc3339(missed.to)).member("count", missed.count).member("reason", reason_of(missed));
  return json.take();
}

void MissedSlots::tell_overload(std::size_t polls) {
  const std::string& bus = p_.config->spec.name;
  p_.log->warn("bus overloaded", {{"bus", bus}, {"polls", std::to_string(polls)}});
  JsonWriter json;
  json.member("bus", bus).member("polls", polls);
  json.member("why", std::string("slots come faster than the line carries them"));
  p_.events->tell("bus_overloaded", bus, json.take());
}

}  // namespace metergate
