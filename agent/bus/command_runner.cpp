#include "agent/bus/command_runner.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace metergate {

namespace {

constexpr std::chrono::seconds kLookAtClock{1};
constexpr std::size_t kMostStrangers = 1024;

bool arrived_before(const OpenCommand& a, const OpenCommand& b) {
  return std::tie(a.arrived, a.stored.key) < std::tie(b.arrived, b.stored.key);
}

}  // namespace

MeterHealth* CommandRunner::health(const OpenCommand& command) {
  if (command.plan.meter) return &meters_.health(*command.plan.meter);
  if (strangers_.size() >= kMostStrangers && strangers_.count(command.plan.target) == 0) strangers_.clear();
  return &strangers_[command.plan.target];
}

/// Null: nothing is known of it.
const MeterHealth* CommandRunner::health(const OpenCommand& command) const {
  if (command.plan.meter) return &meters_.health(*command.plan.meter);
  const auto known = strangers_.find(command.plan.target);
  return known == strangers_.end() ? nullptr : &known->second;
}

bool CommandRunner::runnable(const OpenCommand& command, bool clock_trusted, MonoTime now) const {
  if (!clock_trusted && CommandJob::waits_for_clock(command, now)) return false;
  const auto same = [&](const Running& r) { return r.job->command().plan.target == command.plan.target; };
  if (std::any_of(running_.begin(), running_.end(), same)) return false;
  const MeterHealth* target = health(command);
  return target == nullptr || target->command_allowed(now);
}

bool CommandRunner::ready(MonoTime now) const {
  if (std::any_of(running_.begin(), running_.end(), [now](const Running& r) { return now >= r.again; })) return true;
  if (waiting_.empty()) return false;
  const bool trusted = p_.clock_rule.trusted(*p_.clock);
  return std::any_of(waiting_.begin(), waiting_.end(), [&](const OpenCommand& c) { return runnable(c, trusted, now); });
}

void CommandRunner::tidy() {
  for (OpenCommand& command : queue_.take()) {
    if (command.command.expires) first_expiry_ = std::min(first_expiry_, *command.command.expires);
    tell_of_clock(command);
    const auto before = std::find_if(waiting_.rbegin(), waiting_.rend(),
                                     [&](const OpenCommand& other) { return !arrived_before(command, other); });
    waiting_.insert(before.base(), std::move(command));
  }
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!it->local || !it->local->gone()) {
      ++it;
      continue;
    }
    queue_.ended(*it);
    it = waiting_.erase(it);
  }
  end_expired();
}

/// Its backend hears nothing of it for 5 min.
void CommandRunner::tell_of_clock(const OpenCommand& command) {
  const MonoTime now = p_.clock->mono();
  if (p_.clock_rule.trusted(*p_.clock) || !CommandJob::waits_for_clock(command, now)) return;
  if (const std::int64_t writes = clock_waits_.due(now); writes > 0) {
    p_.log->warn("a write waits up to 5 min for a clock that is synchronised or trusted, then it is rejected",
                 {{"bus", p_.config->spec.name}, {"command", command.command.id}, {"writes", std::to_string(writes)}});
  }
}

void CommandRunner::end_expired() {
  if (waiting_.empty() || p_.clock->utc() < first_expiry_ || p_.clock_rule.known_wrong(*p_.clock)) return;
  first_expiry_ = UtcTime::max();
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const auto& expires = it->command.expires;
    if (!p_.clock_rule.expired(expires, *p_.clock)) {
      if (expires) first_expiry_ = std::min(first_expiry_, *expires);
      ++it;
      continue;
    }
    CommandJob(p_, *it, true).expire();
    ended(*it);
    it = waiting_.erase(it);
  }
}

void CommandRunner::ended(const OpenCommand& command) {
  queue_.ended(command);
  ++done_;
  p_.command_ended();
}

/// The oldest that is ready. One whose target left its last command without an answer yields to those whose targets
/// answer for as long as that took, so that it costs them half of the time at most.
CommandRunner::Waiting::iterator CommandRunner::choose(MonoTime now) {
  if (waiting_.empty()) return waiting_.end();
  const bool trusted = p_.clock_rule.trusted(*p_.clock);
  auto unanswered = waiting_.end();
  for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
    if (!runnable(*it, trusted, now)) continue;
    const MeterHealth* target = health(*it);
    if (target == nullptr || !target->left_command_unanswered()) {
      return unanswered == waiting_.end() || now < unanswered_until_ ? it : unanswered;
    }
    if (unanswered == waiting_.end()) unanswered = it;
  }
  return unanswered;
}

/// False: none is ready.
bool CommandRunner::begin_next(MonoTime now) {
  const auto chosen = choose(now);
  if (chosen == waiting_.end()) return false;
  CommandPlan& plan = chosen->plan;
  const bool one_try = plan.meter && meters_.health(*plan.meter).silent();
  if (plan.meter && !plan.points.empty()) plan.blocks = polls_.plan(*plan.meter, plan.points);
  running_.push_front({std::make_unique<CommandJob>(p_, std::move(*chosen), one_try), now});
  waiting_.erase(chosen);
  return true;
}

CommandRunner::Did CommandRunner::step(MonoTime now) {
  const auto due = [now](const Running& running) { return now >= running.again; };
  auto it = std::find_if(running_.begin(), running_.end(), due);
  if (it == running_.end()) {
    if (!begin_next(now)) return Did::kNothing;
    it = running_.begin();
  }
  CommandJob& job = *it->job;
  const CommandJob::Step step = connection_.up() ? job.step(now) : job.refuse(failure_of(connection_.why_down()));
  judge(job.command(), step, now);
  if (step.bus_error) connection_.lost(*step.bus_error);
  it->again = step.again;
  if (!step.done) return Did::kWork;
  ended(job.command());
  running_.erase(it);
  return Did::kEnded;
}

/// What a transaction tells of the connection and of the target.
void CommandRunner::judge(const OpenCommand& command, const CommandJob::Step& step, MonoTime began) {
  const MonoTime after = p_.clock->mono();
  if (step.heard) polls_.heard(after);
  if (!step.frame) return;
  if (!*step.frame) {
    health(command)->on_unanswered_command(began, after);
    const Nanos rest = std::max(Nanos{0}, Nanos{unanswered_until_ - began});
    unanswered_until_ = after + (after - began) + rest;
    return;
  }
  if (!command.plan.meter) {
    strangers_.erase(command.plan.target);
    return;
  }
  meters_.frame(*command.plan.meter, after);
  if (step.answer) polls_.share(*command.plan.meter, step.answer->first, step.answer->second);
}

MonoTime CommandRunner::next_wake(MonoTime now) const {
  MonoTime next = MonoTime::max();
  for (const Running& running : running_) next = std::min(next, running.again);
  if (waiting_.empty()) return next;
  const UtcTime utc = p_.clock->utc();
  if (first_expiry_ != UtcTime::max()) next = std::min(next, now + std::max(Millis{1}, first_expiry_ - utc));
  for (const OpenCommand& command : waiting_) {
    const MeterHealth* target = health(command);
    const bool paced = target != nullptr && !target->command_allowed(now);
    next = std::min(next, paced ? target->command_at() : now + kLookAtClock);
  }
  return next;
}

}  // namespace metergate
