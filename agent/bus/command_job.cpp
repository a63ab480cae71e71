#include "agent/bus/command_job.h"

#include <utility>

#include "agent/command/command_result.h"
#include "drivers/profile/plan.h"

namespace metergate {

namespace {

constexpr std::chrono::minutes kClockPatience{5};
constexpr Millis kStorePause{1000};

/// What a point shows against what was to be written; an enum may be named or numbered on either side.
bool same_value(const Point& point, const Value& shown, const Value& wanted) {
  if (shown.form == wanted.form)
    return shown.number && wanted.number ? *shown.number == *wanted.number : shown.text == wanted.text;
  const Value& number = shown.number ? shown : wanted;
  const Value& name = shown.number ? wanted : shown;
  const auto whole = number.number ? number.number->whole() : std::nullopt;
  const auto entry = whole ? point.names.find(static_cast<std::int64_t>(*whole)) : point.names.end();
  return entry != point.names.end() && entry->second == name.text;
}

}  // namespace

CommandJob::CommandJob(const BusParts& parts, OpenCommand command, bool one_try)
    : p_(parts),
      command_(std::move(command)),
      one_try_(one_try),
      reading_(command_.command.route ? nullptr : meter(), command_.plan) {
  result_ = result_for(command_.command, command_.stored.received);
}

bool CommandJob::runnable(const OpenCommand& command, const BusParts& parts, MonoTime now) {
  if (!command.stored.write || command.stored.started) return true;
  return parts.clock_rule.trusted(*parts.clock) || now - command.arrived >= kClockPatience;
}

Target CommandJob::target() const {
  if (command_.plan.meter) return p_.config->meters[*command_.plan.meter].target;
  Target target;
  target.address = std::to_string(command_.command.route->unit);
  return target;
}

int CommandJob::tries() const {
  if (one_try_ || command_.local) return 1;
  return 1 + (command_.plan.meter ? p_.config->meters[*command_.plan.meter].retries : p_.config->spec.retries);
}

CommandJob::Step CommandJob::end(std::string status, std::optional<Failure> failure, std::optional<bool> frame) {
  p_.before_stamp();
  result_.stamp = stamp_of(*p_.clock);
  result_.status = std::move(status);
  result_.error = std::move(failure);
  if (result_.started) result_.finished = result_.stamp.at;
  if (command_.local) {
    command_.local(result_);
  } else {
    p_.inbox->complete(command_.stored.key, result_draft(result_));
  }
  Step step;
  step.done = true;
  step.frame = frame;
  return step;
}

CommandJob::Step CommandJob::refuse(const Failure& failure) {
  if (phase_ != Phase::kVerifying) return end("failed", failure);
  Failure unproved = echo_failure_.value_or(failure);
  unproved.message += "; the write was sent and could not be read back";
  return end("unknown", unproved);
}

CommandJob::Step CommandJob::step(MonoTime now) {
  if (phase_ == Phase::kVerifying) return verify(now);
  if (phase_ == Phase::kReading) return read(now);
  if (command_.stored.write && !p_.clock_rule.trusted(*p_.clock)) {
    return end("rejected", Failure{"clock_unsynced", "no trusted clock within 5 min, so expires_at cannot be judged"});
  }
  if (expired()) return end("expired", expired_failure());
  if (command_.stored.write && !p_.writes_allowed()) {
    return end("rejected",
               Failure{"id_in_use", "another gateway uses this id; writes wait until it is gone for 10 min"});
  }
  if (command_.stored.write) return write();
  result_.started = p_.clock->utc();
  phase_ = Phase::kReading;
  return read(now);
}

CommandJob::Step CommandJob::read(MonoTime now) {
  const MonoTime began = p_.clock->mono();
  const Block block = *reading_.next();
  const Result<Words> words = p_.bus->read(target(), block);
  result_.took += std::chrono::duration_cast<Micros>(p_.clock->mono() - began);
  Step step;
  step.again = now;
  if (words) {
    step.frame = true;
    step.answer.emplace(block, *words);
    reading_.answered(*words, p_.clock->mono());
  } else {
    const Error& error = words.error();
    if (error.code == Errc::kBusDown) step.bus_error = error;
    step.frame = from_meter(error);
    if (no_valid_frame(error) && ++attempt_ < tries()) return step;
    if (!reading_.failed(error, p_.clock->mono())) {
      Step last = end("failed", failure_of(error), step.frame);
      last.bus_error = step.bus_error;
      return last;
    }
  }
  attempt_ = 0;
  if (reading_.next()) return step;
  const std::optional<Failure> failure = reading_.conclude(result_);
  Step last = end(failure ? "failed" : "done", failure, step.frame);
  last.answer = std::move(step.answer);
  return last;
}

CommandJob::Step CommandJob::write() {
  const Status marked = p_.inbox->started(command_.stored.key);
  if (!marked) {
    Step step;  // the store will work again or the command expires; without its mark nothing is sent
    step.again = p_.clock->mono() + kStorePause;
    return step;
  }
  if (expired()) return end("expired", expired_failure());
  result_.started = p_.clock->utc();
  const WriteOutcome outcome = p_.bus->write(target(), command_.plan.write);
  const MonoTime now = p_.clock->mono();
  const bool frame = static_cast<bool>(outcome.status) || from_meter(outcome.status.error());
  if (!outcome.status) {
    const Error& error = outcome.status.error();
    const bool refused = from_meter(error) && error.exception != kAcknowledge;
    if (refused || !outcome.sent) {
      Step step = end("failed", failure_of(error), frame);
      if (error.code == Errc::kBusDown) step.bus_error = error;
      return step;
    }
    echo_failure_ = failure_of(error);
  }
  const WriteRule& rule = *command_.plan.point->write;
  if (rule.verify.empty()) {
    return echo_failure_ ? end("unknown", echo_failure_, frame) : end("done", std::nullopt, frame);
  }
  phase_ = Phase::kVerifying;
  verify_at_ = now + rule.verify_after;
  attempt_ = 0;
  Step step;
  step.again = verify_at_;
  step.frame = frame;
  if (!outcome.status && outcome.status.error().code == Errc::kBusDown) step.bus_error = outcome.status.error();
  return step;
}

CommandJob::Step CommandJob::verify(MonoTime now) {
  Step step;
  if (now < verify_at_) {
    step.again = verify_at_;
    return step;
  }
  const MeterConfig& meter = p_.config->meters[*command_.plan.meter];
  const Point& shown = *meter.profile->find(command_.plan.point->write->verify);
  if (!read_back_) {
    read_back_.emplace(meter);
    read_back_->ask({&shown}, plan_blocks(*meter.profile, {&shown}, meter.cost));
  }
  const Result<Words> words = p_.bus->read(target(), *read_back_->next());
  if (!words) {
    const Error& error = words.error();
    step.frame = from_meter(error);
    if (error.code == Errc::kBusDown) step.bus_error = error;
    step.again = now;
    if (no_valid_frame(error) && ++attempt_ < tries()) return step;
    Failure failure = echo_failure_.value_or(failure_of(error));
    failure.message += "; the read-back of " + shown.name + " failed: " + error.detail;
    Step last = end("unknown", failure, step.frame);
    last.bus_error = step.bus_error;
    return last;
  }
  read_back_->answered(*words, p_.clock->mono());
  step.frame = true;
  step.again = now;
  if (read_back_->next()) return step;
  const Result<Decoded>& decoded = read_back_->value(shown);
  if (decoded) result_.values.emplace_back(shown.name, decoded->value);
  if (decoded && same_value(shown, decoded->value, command_.command.value)) return end("done", std::nullopt, true);
  const std::string saw = decoded ? value_json(decoded->value) : decoded.error().detail;
  if (echo_failure_) {
    echo_failure_->message += "; " + shown.name + " then showed " + saw;
    return end("unknown", echo_failure_, true);
  }
  return end("failed", Failure{"not_verified", shown.name + " showed " + saw + " after the write"}, true);
}

}  // namespace metergate
