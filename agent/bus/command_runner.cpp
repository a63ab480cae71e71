#include "agent/bus/command_runner.h"

#include <algorithm>
#include <utility>

namespace metergate {

bool CommandRunner::runnable(const OpenCommand& command, MonoTime now) const {
  const auto meter = command.plan.meter;
  return CommandJob::runnable(command, p_, now) && (!meter || meters_.health(*meter).command_allowed(now));
}

bool CommandRunner::ready(MonoTime now) const {
  if (job_) return now >= again_;
  return std::any_of(waiting_.begin(), waiting_.end(), [&](const OpenCommand& c) { return runnable(c, now); });
}

void CommandRunner::choose(MonoTime now) {
  const auto it =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const OpenCommand& c) { return runnable(c, now); });
  if (it == waiting_.end()) return;
  meter_ = it->plan.meter;
  const bool one_try = meter_ && meters_.health(*meter_).silent();
  if (meter_) meters_.health(*meter_).on_command(now);
  again_ = now;
  if (meter_ && !it->plan.points.empty()) it->plan.blocks = polls_.plan(*meter_, it->plan.points);
  job_ = std::make_unique<CommandJob>(p_, std::move(*it), one_try);
  waiting_.erase(it);
}

CommandRunner::Did CommandRunner::step(MonoTime now) {
  if (!job_) choose(now);
  if (!job_ || now < again_) return Did::kNothing;
  const CommandJob::Step step = connection_.up() ? job_->step(now) : job_->refuse(failure_of(connection_.why_down()));
  if (step.frame && *step.frame && meter_) meters_.frame(*meter_, now);
  if (step.answer && meter_) polls_.share(*meter_, step.answer->first, step.answer->second);
  if (step.bus_error) connection_.lost(*step.bus_error);
  again_ = step.again;
  if (!step.done) return Did::kWork;
  job_.reset();
  return Did::kEnded;
}

MonoTime CommandRunner::next_wake(MonoTime now) const {
  if (job_) return again_;
  MonoTime next = MonoTime::max();
  for (const OpenCommand& command : waiting_) {
    const auto meter = command.plan.meter;
    const bool paced = meter && !meters_.health(*meter).command_allowed(now);
    next = std::min(next, paced ? meters_.health(*meter).command_at() : now + std::chrono::seconds(1));
  }
  return next;
}

}  // namespace metergate
