#include "agent/bus/bus_worker.h"

#include <algorithm>
#include <utility>

#include "agent/base/json.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/config/bus_description.h"

namespace metergate {

namespace {
constexpr int kCommandsInRow = 4;
constexpr Millis kStatePause{250};
}  // namespace

BusWorker::BusWorker(BusParts parts)
    : p_(std::move(parts)),
      connection_(p_),
      meters_(p_),
      polls_(p_, connection_, meters_),
      commands_(p_, queue_, connection_, meters_, polls_) {
  publish_state();
}

void BusWorker::give(OpenCommand command) {
  queue_.add(std::move(command));
  p_.given();
}

bool BusWorker::give_local(OpenCommand command) {
  if (!queue_.add_local(std::move(command))) return false;
  p_.given();
  return true;
}

BusState BusWorker::state() const {
  BusState state;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    state = state_;
  }
  state.counters = p_.bus->counters();
  state.commands_waiting = static_cast<std::int64_t>(queue_.size());
  return state;
}

void BusWorker::publish_state() {
  BusState state;
  state.name = p_.config->spec.name;
  state.port = port_key(p_.config->spec.settings);
  state.up = connection_.up();
  state.why_down = connection_.why_down().detail;
  state.overloaded = polls_.schedule().behind();
  state.slots_wanted = polls_.schedule().wanted();
  state.slots_kept = polls_.schedule().kept();
  state.second_master = second_master_watch_.talks();
  if (wish_.paused) state.paused_until = wish_.until;
  state.commands_done = commands_.done();
  state.meters = meters_.states();
  for (std::size_t m = 0; m < state.meters.size(); ++m) {
    state.meters[m].turnaround = p_.bus->turnaround(p_.config->meters[m].target);
  }
  const std::lock_guard<std::mutex> hold(mutex_);
  state_ = std::move(state);
}

void BusWorker::follow_pause(MonoTime now) {
  const BusPause::Wish wish = p_.pause->wish(now);
  if (wish.number == wish_.number && wish.paused == wish_.paused) return;
  const std::string& bus = p_.config->spec.name;
  JsonWriter json;
  json.member("bus", bus);
  if (wish.paused) {
    connection_.lend("bus " + bus + " is paused until " + rfc3339(wish.until));
    polls_.end_begun();
    if (const std::int64_t changes = pause_logged_.due(now); changes > 0) {
      p_.log->info("bus paused", {{"bus", bus}, {"until", rfc3339(wish.until)}, {"changes", std::to_string(changes)}});
    }
    p_.events->tell("bus_paused", bus, json.member("until", rfc3339(wish.until)).take());
  } else if (wish_.paused) {
    connection_.take_back();
    const std::string why = wish.number == wish_.number ? "time" : "asked";
    if (why == "time") p_.pause->forget(wish.number);
    if (const std::int64_t changes = pause_logged_.due(now); changes > 0) {
      p_.log->info("bus resumed", {{"bus", bus}, {"why", why}, {"changes", std::to_string(changes)}});
    }
    p_.events->tell("bus_resumed", bus, json.member("why", why).take());
  }
  wish_ = wish;
  publish_state();
  p_.pause->grant(wish.number);
}

MonoTime BusWorker::step(MonoTime now) {
  commands_.tidy();
  follow_pause(now);
  const Moment moment = moment_of(*p_.clock);
  polls_.advance(moment.mono, moment.utc);
  if (connection_.open_if_due(now, commands_.ready(now))) {
    meters_.port_opened(now);
    polls_.port_opened(now);
  }
  const bool worked = work(now);
  if (worked) look_for_second_master(p_.clock->mono());
  if (!worked || now - state_told_ >= kStatePause) {
    state_told_ = now;
    publish_state();
  }
  const MonoTime after = p_.clock->mono();
  if (worked) return after;
  MonoTime next = std::min(polls_.next_wake(after, p_.clock->utc()), commands_.next_wake(after));
  if (connection_.lent()) return std::max(std::min(next, wish_.ends), after);
  next = std::min(next, connection_.up() ? p_.bus->idle() : connection_.reopen_at());
  return std::max(next, after);
}

void BusWorker::look_for_second_master(MonoTime now) {
  const auto frames = second_master_watch_.look(p_.bus->counters().foreign_frames, now);
  if (!frames) return;
  const std::string& bus = p_.config->spec.name;
  if (const std::int64_t changes = second_master_logged_.due(now); changes > 0) {
    p_.log->warn("a second master talks on the bus", {{"bus", bus}, {"changes", std::to_string(changes)}});
  }
  JsonWriter json;
  p_.events->tell("second_master", bus, json.member("bus", bus).member("frames", *frames).take());
}

bool BusWorker::work(MonoTime now) {
  if (commands_in_row_ >= kCommandsInRow && step_poll(now)) return true;
  return step_command(now) || step_poll(now);
}

bool BusWorker::step_command(MonoTime now) {
  const CommandRunner::Did did = commands_.step(now);
  if (did != CommandRunner::Did::kEnded) return did == CommandRunner::Did::kWork;
  ++commands_in_row_;
  return true;
}

bool BusWorker::step_poll(MonoTime now) {
  if (!connection_.up()) {
    if (connection_.down() && !connection_.lent()) polls_.end_unreachable(now);
    return false;
  }
  if (!polls_.step(now)) return false;
  commands_in_row_ = 0;
  return true;
}

}  // namespace metergate
