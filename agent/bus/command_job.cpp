#include "agent/bus/command_job.h"

#include <utility>

#include "drivers/profile/plan.h"

namespace metergate {

namespace {

constexpr std::chrono::minutes kClockPatience{5};
constexpr Millis kStorePause{1000};
constexpr int kAcknowledge = 5;  // exception 5: the meter took the request and needs longer

bool retriable(const Error& error) {
  return error.code == Errc::kTimeout || error.code == Errc::kCrc || error.code == Errc::kGarbled;
}

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

bool is_frame(const Error& error) { return error.code == Errc::kException; }

}  // namespace

CommandJob::CommandJob(Parts parts, OpenCommand task, bool one_try)
    : parts_(std::move(parts)),
      task_(std::move(task)),
      one_try_(one_try),
      reading_(task_.command.route ? nullptr : meter(), task_.plan) {
  result_ = result_for(task_.command, task_.stored.received);
}

bool CommandJob::runnable(const OpenCommand& task, const Clock& clock, const ClockRule& rule, MonoTime now) {
  if (!task.stored.write || task.stored.started) return true;
  return (clock.synced() && !rule.known_wrong(clock)) || now - task.arrived >= kClockPatience;
}

bool CommandJob::expired() const {
  return task_.command.expires && !parts_.rule.known_wrong(parts_.clock) &&
         parts_.clock.utc() >= *task_.command.expires;
}

Target CommandJob::target() const {
  if (task_.plan.meter) return parts_.config.meters[*task_.plan.meter].target;
  Target target;
  target.address = std::to_string(task_.command.route->unit);
  return target;
}

int CommandJob::tries() const {
  if (one_try_ || task_.local) return 1;
  return 1 + (task_.plan.meter ? parts_.config.meters[*task_.plan.meter].retries : parts_.config.spec.retries);
}

CommandJob::Step CommandJob::end(std::string status, std::optional<Failure> failure, std::optional<bool> frame) {
  parts_.before_stamp();
  result_.stamp = stamp_of(parts_.clock);
  result_.status = std::move(status);
  result_.error = std::move(failure);
  if (result_.started) result_.finished = result_.stamp.at;
  if (task_.local) {
    task_.local(result_);
  } else {
    parts_.inbox.complete(task_.stored.key, result_draft(result_));
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
  if (task_.stored.write && (!parts_.clock.synced() || parts_.rule.known_wrong(parts_.clock))) {
    return end("rejected", Failure{"clock_unsynced", "no trusted clock within 5 min, so expires_at cannot be judged"});
  }
  if (expired()) return end("expired", Failure{"expired", "its turn came after expires_at"});
  if (task_.stored.write && !parts_.writes_allowed()) {
    return end("rejected",
               Failure{"id_in_use", "another gateway uses this id; writes wait until it is gone for 10 min"});
  }
  if (task_.stored.write) return write();
  result_.started = parts_.clock.utc();
  phase_ = Phase::kReading;
  return read(now);
}

CommandJob::Step CommandJob::read(MonoTime now) {
  const MonoTime began = parts_.clock.mono();
  const Block block = *reading_.next();
  const Result<Words> words = parts_.bus.read(target(), block);
  result_.took += std::chrono::duration_cast<Micros>(parts_.clock.mono() - began);
  Step step;
  step.again = now;
  if (words) {
    step.frame = true;
    step.answer.emplace(block, *words);
    reading_.answered(*words);
  } else {
    const Error& error = words.error();
    if (error.code == Errc::kBusDown) step.bus_error = error;
    step.frame = is_frame(error);
    if (retriable(error) && ++attempt_ < tries()) return step;
    if (!reading_.failed(error)) {
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
  const Status marked = parts_.inbox.started(task_.stored.key);
  if (!marked) {
    Step step;  // the store will work again or the command expires; without its mark nothing is sent
    step.again = parts_.clock.mono() + kStorePause;
    return step;
  }
  if (expired()) return end("expired", Failure{"expired", "its turn came after expires_at"});
  result_.started = parts_.clock.utc();
  const WriteOutcome outcome = parts_.bus.write(target(), task_.plan.write);
  const MonoTime now = parts_.clock.mono();
  const bool frame = static_cast<bool>(outcome.status) || is_frame(outcome.status.error());
  if (!outcome.status) {
    const Error& error = outcome.status.error();
    const bool refused = error.code == Errc::kException && error.exception != kAcknowledge;
    if (refused || !outcome.sent) {
      Step step = end("failed", failure_of(error), frame);
      if (error.code == Errc::kBusDown) step.bus_error = error;
      return step;
    }
    echo_failure_ = failure_of(error);
  }
  const WriteRule& rule = *task_.plan.point->write;
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
  const MeterConfig& meter = parts_.config.meters[*task_.plan.meter];
  const Point& shown = *meter.profile->find(task_.plan.point->write->verify);
  const std::vector<Block> blocks = plan_blocks(*meter.profile, {&shown}, meter.cost);
  const Block& block = blocks[next_block_];
  const Result<Words> words = parts_.bus.read(target(), block);
  if (!words) {
    const Error& error = words.error();
    step.frame = is_frame(error);
    if (error.code == Errc::kBusDown) step.bus_error = error;
    step.again = now;
    if (retriable(error) && ++attempt_ < tries()) return step;
    Failure failure = echo_failure_.value_or(failure_of(error));
    failure.message += "; the read-back of " + shown.name + " failed: " + error.detail;
    Step last = end("unknown", failure, step.frame);
    last.bus_error = step.bus_error;
    return last;
  }
  image_.put(block, *words);
  step.frame = true;
  step.again = now;
  if (++next_block_ < blocks.size()) return step;
  const Result<Decoded> decoded = decode(*meter.profile, shown, image_, meter.ratios);
  if (decoded) result_.values.emplace_back(shown.name, decoded->value);
  if (decoded && same_value(shown, decoded->value, task_.command.value)) return end("done", std::nullopt, true);
  const std::string saw = decoded ? value_json(decoded->value) : decoded.error().detail;
  if (echo_failure_) {
    echo_failure_->message += "; " + shown.name + " then showed " + saw;
    return end("unknown", echo_failure_, true);
  }
  return end("failed", Failure{"not_verified", shown.name + " showed " + saw + " after the write"}, true);
}

}  // namespace metergate
