#include "agent/bus/command_job.h"

#include <utility>

#include "agent/base/json.h"
#include "agent/command/command_result.h"
#include "drivers/profile/encode.h"
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

bool password_refused(const Error& error) {
  return error.code == Errc::kException && error.exception >= kErrorWord && (error.exception & kNotAuthorisedBit) != 0;
}

/// An exception says that the meter did not take the write, but for 5, which only says that it takes long, and for a
/// gateway's word that the meter, which was asked, did not answer.
bool certainly_not_taken(const Error& error) {
  return error.code == Errc::kException && error.exception != kAcknowledge && error.exception != kGatewayNoAnswer;
}

}  // namespace

CommandJob::CommandJob(const BusParts& parts, OpenCommand command, bool one_try)
    : p_(parts),
      command_(std::move(command)),
      one_try_(one_try),
      reading_(command_.command.route ? nullptr : meter(), command_.plan) {
  result_ = result_for(command_.command, command_.stored.received);
}

bool CommandJob::waits_for_clock(const OpenCommand& command, MonoTime now) {
  return command.stored.write && now - command.arrived < kClockPatience;
}

void CommandJob::expire() { end("expired", expired_failure()); }

Target CommandJob::target() const {
  if (command_.plan.meter) return p_.config->meters[*command_.plan.meter].target;
  return command_.plan.stranger;
}

int CommandJob::tries() const {
  if (one_try_ || command_.local) return 1;
  return 1 + (command_.plan.meter ? p_.config->meters[*command_.plan.meter].retries : p_.config->spec.retries);
}

CommandJob::Step CommandJob::end(std::string status, std::optional<Failure> failure, Step step) {
  p_.before_stamp();
  result_.stamp = stamp_of(*p_.clock);
  result_.status = std::move(status);
  result_.error = std::move(failure);
  if (result_.started) result_.finished = result_.stamp.at;
  if (command_.local) {
    command_.local->answer(result_);
  } else {
    p_.inbox->complete(command_.stored.key, result_draft(result_));
  }
  step.done = true;
  return step;
}

CommandJob::Step CommandJob::end(std::string status, std::optional<Failure> failure) {
  return end(std::move(status), std::move(failure), Step{});
}

CommandJob::Step CommandJob::refuse(const Failure& failure) {
  if (phase_ == Phase::kVerifying) return end_unverified(failure, {});
  return end("failed", failure);
}

/// `error`: null for an answer.
CommandJob::Step CommandJob::after_transaction(const Error* error) const {
  Step step;
  step.again = p_.clock->mono();
  step.frame = error == nullptr || from_meter(*error);
  step.heard = error == nullptr || error->code == Errc::kException;
  if (error != nullptr && error->code == Errc::kBusDown) step.bus_error = *error;
  return step;
}

CommandJob::Step CommandJob::step(MonoTime now) {
  if (phase_ == Phase::kVerifying) return verify(now);
  if (phase_ == Phase::kReading) return read();
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
  return read();
}

CommandJob::Step CommandJob::read() {
  const MonoTime began = p_.clock->mono();
  const Block block = *reading_.next();
  const Result<Words> words = p_.bus->read(target(), block);
  const MonoTime now = p_.clock->mono();
  result_.took += std::chrono::duration_cast<Micros>(now - began);
  Step step = after_transaction(words ? nullptr : &words.error());
  if (words) {
    step.answer.emplace(block, *words);
    reading_.answered(*words, now);
  } else {
    if (worth_a_retry(words.error()) && ++attempt_ < tries()) return step;
    if (!reading_.failed(words.error(), now)) return end("failed", failure_of(words.error()), std::move(step));
  }
  attempt_ = 0;
  if (reading_.next()) return step;
  const std::optional<Failure> failure = reading_.conclude(result_);
  return end(failure ? "failed" : "done", failure, std::move(step));
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
  Step step = after_transaction(outcome.status ? nullptr : &outcome.status.error());
  if (!outcome.status) {
    const Error& error = outcome.status.error();
    if (password_refused(error)) tell_password_refused(error);
    if (!outcome.sent || certainly_not_taken(error)) return end("failed", failure_of(error), std::move(step));
    echo_failure_ = failure_of(error);
  }
  const WriteRule& rule = *command_.plan.point->write;
  const bool shows = rule.form != Write::Form::kRelay || shown_after(command_.plan.write);
  if (rule.verify.empty() || !shows) return end(echo_failure_ ? "unknown" : "done", echo_failure_, std::move(step));
  phase_ = Phase::kVerifying;
  verify_at_ = step.again + rule.verify_after;
  step.again = verify_at_;
  return step;
}

/// It is sent no further time: after a few wrong ones a meter locks its level for hours.
void CommandJob::tell_password_refused(const Error& error) {
  const std::string& id = p_.config->meters[*command_.plan.meter].spec.id;
  p_.log->warn("meter refused the password; no further write is tried with it", {{"meter", id}});
  JsonWriter json;
  json.member("meter", id).member("message", error.detail);
  p_.events->tell("password_refused", id, json.take());
}

CommandJob::Step CommandJob::verify(MonoTime now) {
  if (now < verify_at_) {
    Step step;
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
  Step step = after_transaction(words ? nullptr : &words.error());
  if (!words) {
    if (worth_a_retry(words.error()) && ++attempt_ < tries()) return step;
    return end_unverified(failure_of(words.error()), std::move(step));
  }
  read_back_->answered(*words, p_.clock->mono());
  if (read_back_->next()) return step;
  const Result<Decoded>& decoded = read_back_->value(shown);
  if (!decoded) return end_unverified(failure_of(decoded.error()), std::move(step));
  result_.values.emplace_back(shown.name, decoded->value);
  const Value wanted = shown_after(command_.plan.write).value_or(command_.command.value);
  if (same_value(shown, decoded->value, wanted)) return end("done", std::nullopt, std::move(step));
  const std::string saw = shown.name + " showed " + value_json(decoded->value) + " after the write";
  if (!echo_failure_) return end("failed", Failure{"not_verified", saw}, std::move(step));
  echo_failure_->message += "; " + saw;
  return end("unknown", echo_failure_, std::move(step));
}

/// The write was sent, and nothing shows whether the meter took it.
CommandJob::Step CommandJob::end_unverified(const Failure& read_back, Step step) {
  result_.read_back = read_back;
  Failure failure = echo_failure_.value_or(Failure{"verify_failed", "the meter confirmed the write"});
  failure.message += "; the read-back failed: " + read_back.message;
  return end("unknown", failure, std::move(step));
}

}  // namespace metergate
