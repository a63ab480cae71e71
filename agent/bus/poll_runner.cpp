#include "agent/bus/poll_runner.h"

#include <algorithm>
#include <utility>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace metergate {

namespace {

constexpr int kSilentShare = 20;  // one part in so many of the bus's time

std::vector<Schedule::Poll> polls_of(const BusConfig& config) {
  std::vector<Schedule::Poll> polls;
  for (const PollConfig& poll : config.polls) polls.push_back({poll.meter, poll.every});
  return polls;
}

}  // namespace

PollRunner::PollRunner(const BusParts& parts, BusConnection& connection, MeterWatch& meters)
    : p_(parts),
      connection_(connection),
      meters_(meters),
      schedule_(polls_of(*parts.config)),
      missed_(parts, meters),
      told_down_(parts.config->meters.size(), false) {
  monitors_.reserve(p_.config->meters.size());
  for (std::size_t m = 0; m < p_.config->meters.size(); ++m) {
    models_.emplace_back(p_, m);
    monitors_.emplace_back(p_, m);
    plans_.emplace_back(*p_.config, m, monitors_[m].unsupported());
    show(m);
  }
}

void PollRunner::advance(MonoTime now, UtcTime utc) {
  const bool lent = connection_.lent();
  schedule_.advance(
      now, utc, [this, lent](std::size_t m) { return (!connection_.up() && !lent) || meters_.health(m).silent(); },
      lent ? Schedule::Why::kPause : Schedule::Why::kOverload);
  missed_.tell(schedule_, now);
}

void PollRunner::heard(MonoTime now) {
  if (!connection_.answered()) return;
  meters_.port_opened(now);
  port_opened(now);
}

void PollRunner::port_opened(MonoTime now) {
  std::fill(told_down_.begin(), told_down_.end(), false);
  probe_allowed_ = now;
  for (MeterMonitor& monitor : monitors_) monitor.out_of_sight();
}

std::vector<Block> PollRunner::plan(std::size_t m, const std::vector<const Point*>& points) {
  plans_[m].measured(p_.bus->turnaround(p_.config->meters[m].target));
  return plans_[m].blocks(points);
}

void PollRunner::share(std::size_t m, const Block& block, const Words& words) {
  if (!current_ || current_->meter() != m || !current_->take_over(block, words, p_.clock->mono())) return;
  attempt_ = 0;
}

bool PollRunner::step(MonoTime now) {
  if (checked_) {
    check_model();
    return true;
  }
  if (!current_) end_closed(now);
  if (!current_ && !choose(now, p_.clock->utc())) return false;
  transact(now);
  return true;
}

std::unique_ptr<PollJob> PollRunner::job_for(std::size_t m, const std::vector<Schedule::Due>& due, MonoTime now) {
  plans_[m].measured(p_.bus->turnaround(p_.config->meters[m].target));
  return std::make_unique<PollJob>(*p_.config, m, due, monitors_[m].unsupported(), plans_[m], now);
}

void PollRunner::begin(std::unique_ptr<PollJob> job, MonoTime now) {
  current_ = std::move(job);
  monitors_[current_->meter()].begin(*current_, now);
  attempt_ = 0;
}

bool PollRunner::choose(MonoTime now, UtcTime utc) {
  if (choose_probe(now, utc)) return true;
  const auto answers = [this](std::size_t m) { return !meters_.health(m).silent(); };
  auto meter = schedule_.pick(false, answers);
  if (!meter) {
    const auto waiting =
        std::find_if(parked_.begin(), parked_.end(), [&](const auto& j) { return now >= j->retry_at(); });
    if (waiting != parked_.end()) {
      (*waiting)->retry();
      begin(std::move(*waiting), now);
      parked_.erase(waiting);
      return true;
    }
    meter = schedule_.pick(true, answers);
  }
  if (!meter) return false;
  const auto due = schedule_.take(*meter, now, utc);
  begin(job_for(*meter, due, now), now);
  return true;
}

/// The silent meter that waits longest, when the share of all of them allows; whether or not one of its slots is due.
bool PollRunner::choose_probe(MonoTime now, UtcTime utc) {
  if (now < probe_allowed_) return false;
  std::optional<std::size_t> first;
  for (std::size_t m = 0; m < meters_.size(); ++m) {
    const MeterHealth& health = meters_.health(m);
    if (!health.silent() || now < health.next_probe()) continue;
    if (!first || health.next_probe() < meters_.health(*first).next_probe()) first = m;
  }
  if (!first) return false;
  std::vector<Schedule::Due> due = schedule_.take(*first, now, utc);
  for (std::size_t i = 0; i < p_.config->polls.size() && due.empty(); ++i) {
    if (p_.config->polls[i].meter == *first) due.push_back({i, std::nullopt});
  }
  begin(job_for(*first, due, now), now);
  return true;
}

void PollRunner::transact(MonoTime now) {
  PollJob& job = *current_;
  const std::size_t m = job.meter();
  if (!job.next()) return go_on(now);  // a command's answers had the rest of it
  const MeterHealth& health = meters_.health(m);
  const bool one_try = health.doubtful();
  const bool probe = health.silent();
  Target target = p_.config->meters[m].target;
  target.asked_again = !one_try && attempt_ < p_.config->meters[m].retries;
  const Result<Words> words = p_.bus->read(target, *job.next());
  const MonoTime after = p_.clock->mono();
  const bool frame = words || from_meter(words.error());
  if (words || words.error().code == Errc::kException) heard(after);
  if (probe && !frame) probe_allowed_ = after + (after - now) * (kSilentShare - 1);
  if (words) {
    job.answered(*words, after);
    meters_.frame(m, after);
  } else {
    const Error& error = words.error();
    if (error.code == Errc::kBusDown) {
      connection_.lost(error);
      if (connection_.down()) return;  // what was begun ends by end_unreachable()
    }
    if (from_meter(error)) {
      meters_.frame(m, after);
    } else {
      meters_.health(m).on_unanswered(now, after);
    }
    if (worth_a_retry(error) && target.asked_again) {
      ++attempt_;
      return;
    }
    if (error.code == Errc::kTimeout || from_gateway(error)) {
      job.abandon(error);
    } else {
      job.failed(error, after);
    }
  }
  attempt_ = 0;
  go_on(after);
}

void PollRunner::go_on(MonoTime now) {
  if (!current_->next() && !monitors_[current_->meter()].look(*current_, now)) end_round(now);
}

void PollRunner::check_model() {
  const Result<bool> more = models_[*checked_].step();
  if (more && *more) return;
  checked_.reset();
  if (!more) connection_.lost(more.error());
}

std::vector<PollJob::Done> PollRunner::finish(PollJob& job, bool give_up) {
  p_.before_stamp();
  auto done = job.finish(moment_of(*p_.clock), p_.clock->synced(), p_.catalog, give_up);
  for (PollJob::Done& d : done) {
    schedule_.done(d.poll);
    monitors_[job.meter()].mark(d.reading, d.poll);
  }
  return done;
}

void PollRunner::end_round(MonoTime now) {
  std::unique_ptr<PollJob> job = std::move(current_);
  const std::size_t m = job->meter();
  const bool was_silent = meters_.health(m).silent();
  const auto done = finish(*job, was_silent);
  if (!was_silent) publish(done);  // one bad reading when it falls silent, none for each try after
  if (!done.empty() && !job->saw_frame()) {
    const std::string code = done.front().reading.error ? done.front().reading.error->code : "timeout";
    if (meters_.failed_poll(m, job->began(), now, code)) {
      drop_parked(m);
      monitors_[m].silent();
    }
  }
  monitors_[m].keep(now);
  show(m);
  if (job->saw_frame() && models_[m].wanted()) checked_ = m;
  if (!job->over() && !meters_.health(m).silent()) parked_.push_back(std::move(job));
}

/// On a line that is full the time for another try may pass before its turn comes.
void PollRunner::end_closed(MonoTime now) {
  const auto closed = [&] {
    return std::find_if(parked_.begin(), parked_.end(), [now](const auto& j) { return now > j->closes_at(); });
  };
  for (auto it = closed(); it != parked_.end(); it = closed()) {
    current_ = std::move(*it);
    parked_.erase(it);
    end_round(now);
  }
}

/// What waits for another try of a meter that fell silent: its bad reading has just been sent.
void PollRunner::drop_parked(std::size_t meter) {
  for (auto it = parked_.begin(); it != parked_.end();) {
    if ((*it)->meter() != meter) {
      ++it;
      continue;
    }
    finish(**it, true);
    it = parked_.erase(it);
  }
}

void PollRunner::end_unreachable(MonoTime now) {
  std::list<std::unique_ptr<PollJob>> jobs = std::move(parked_);
  parked_.clear();
  if (current_) jobs.push_front(std::move(current_));
  for (std::size_t m = 0; m < meters_.size(); ++m) {
    if (told_down_[m] || !schedule_.due(m)) continue;
    const auto due = schedule_.take(m, now, p_.clock->utc());
    jobs.push_back(job_for(m, due, now));
  }
  for (const auto& job : jobs) {
    job->abandon(connection_.why_down());
    const auto done = finish(*job, true);
    if (!told_down_[job->meter()]) publish(done);
    told_down_[job->meter()] = true;
  }
}

void PollRunner::end_begun() {
  std::list<std::unique_ptr<PollJob>> jobs = std::move(parked_);
  parked_.clear();
  if (current_) jobs.push_front(std::move(current_));
  for (const auto& job : jobs) {
    job->abandon(connection_.why_down());
    const auto done = finish(*job, true);
    if (!meters_.health(job->meter()).silent()) publish(done);
  }
}

void PollRunner::show(std::size_t m) {
  MeterState& state = meters_.state(m);
  state.serial = monitors_[m].serial();
  state.unsupported = monitors_[m].unsupported().points();
}

void PollRunner::publish(const std::vector<PollJob::Done>& done) {
  std::vector<Draft> drafts;
  for (const PollJob::Done& d : done) {
    const PollConfig& poll = p_.config->polls[d.poll];
    MeterState& state = meters_.state(poll.meter);
    if (d.reading.error) {
      ++state.bad;
    } else if (d.reading.errors.empty()) {
      ++state.good;
      state.last_good = d.reading.stamp.at;
    } else {
      ++state.partial;
    }
    p_.reading(d.reading);
    for (Draft& draft : reading_drafts(d.reading, poll.keep_high)) drafts.push_back(std::move(draft));
  }
  if (!drafts.empty()) p_.outbox->append(std::move(drafts));
}

MonoTime PollRunner::next_wake(MonoTime now, UtcTime utc) const {
  MonoTime next = schedule_.next(now, utc);
  for (const auto& job : parked_) next = std::min(next, job->retry_at());
  for (std::size_t m = 0; m < meters_.size(); ++m) {
    const MeterHealth& health = meters_.health(m);
    if (health.silent()) next = std::min(next, std::max(health.next_probe(), probe_allowed_));
  }
  return next;
}

}  // namespace metergate
