#include "agent/bus/poll_job.h"

#include <algorithm>

#include "drivers/profile/plan.h"

namespace metergate {

namespace {

constexpr int kAcknowledge = 5;  // exceptions that pass
constexpr int kBusy = 6;
constexpr int kIllegalAddress = 2;
constexpr int kIllegalValue = 3;
constexpr std::size_t kAloneInVain = 2;
constexpr Millis kFirstPause{250};
constexpr Millis kLongestPause{16'000};

template <class T>
bool contains(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

bool passing(const Error& error) {
  return error.code == Errc::kTimeout || error.code == Errc::kCrc || error.code == Errc::kGarbled ||
         (error.code == Errc::kException && (error.exception == kAcknowledge || error.exception == kBusy));
}

bool refusal(const Error& error) {
  return error.code == Errc::kException && (error.exception == kIllegalAddress || error.exception == kIllegalValue);
}

PollJob::PollJob(const BusConfig& bus, std::size_t meter, const std::vector<Schedule::Due>& due,
                 UnsupportedPoints& refused, const PlanCost& cost, MonoTime now)
    : bus_(bus), meter_(meter), refused_(refused), cost_(cost), began_(now) {
  for (const Schedule::Due& d : due) polls_.push_back({d.poll, d.slot, now + retry_window(bus.polls[d.poll].every)});
  const std::vector<const Point*> points = wanted();
  ask(points);
  if (!todo_.empty()) return;
  asked_ = with_dependencies(*config().profile, {points.front()});
  todo_ = plan_blocks(*config().profile, {points.front()}, cost_, refused_.learned());
}

std::vector<const Point*> PollJob::wanted() const {
  std::vector<const Point*> points;
  for (const Waiting& w : polls_) {
    for (const Point* point : bus_.polls[w.poll].points) {
      if (!contains(points, point)) points.push_back(point);
    }
  }
  return points;
}

void PollJob::ask(const std::vector<const Point*>& points) {
  std::vector<const Point*> needed;
  for (const Point* point : points) {
    if (fresh(*point)) continue;
    if (const int exception = refused_.exception_of(*point)) {
      left_out_.emplace_back(point, exception);
    } else {
      needed.push_back(point);
    }
  }
  for (const Point* point : with_dependencies(*config().profile, needed)) {
    if (!contains(asked_, point)) asked_.push_back(point);
  }
  for (const Block& block : plan_blocks(*config().profile, needed, cost_, refused_.learned())) {
    if (!contains(todo_, block)) todo_.push_back(block);
  }
}

void PollJob::ask_again(const Point& point) {
  for (const Point* needed : with_dependencies(*config().profile, {&point})) {
    for (const Block& registers : registers_of(*needed)) {
      for (auto it = answered_.begin(); it != answered_.end();) {
        if (!overlaps(*it, registers)) {
          ++it;
          continue;
        }
        image_.forget(*it);
        todo_.push_back(*it);
        it = answered_.erase(it);
      }
    }
  }
}

std::optional<Value> PollJob::fresh(const Point& point) const {
  if (answered_.empty() || why_missing(point)) return std::nullopt;
  const auto came = [this](const Block& registers) {
    return std::any_of(answered_.begin(), answered_.end(), [&](const Block& b) { return overlaps(b, registers); });
  };
  const std::vector<Block> own = registers_of(point);
  if (!std::all_of(own.begin(), own.end(), came)) return std::nullopt;
  Result<Decoded> decoded = decode(*config().profile, point, image_, config().ratios);
  if (!decoded) return std::nullopt;
  return std::move(decoded->value);
}

std::optional<Block> PollJob::next() const {
  if (todo_.empty()) return std::nullopt;
  return todo_.front();
}

void PollJob::answered(const Words& words, MonoTime now) {
  const Block block = todo_.front();
  todo_.erase(todo_.begin());
  image_.put(block, words);
  answered_.push_back(block);
  const bool knew = !refused_.learned().empty();
  refused_.answered(block);
  for (const auto& [left, right] : splits_) {
    const bool apart = left.address + left.count <= right.address;
    if (right == block && apart && contains(answered_, left)) {
      refused_.refused({right.table, right.address, 0}, kIllegalAddress, now);
    }
  }
  saw_frame_ = true;
  if (search_) search_->answered = true;
  leave_search(now);
  if (knew && refused_.learned().empty()) ask(wanted());
  if (!first_) first_ = now;
  last_ = now;
}

bool PollJob::take_over(const Block& block, const Words& words, MonoTime now) {
  if (search_) return false;  // whose halves are counted
  const auto held = [&](const Block& b) {
    return b.table == block.table && b.address >= block.address && b.address + b.count <= block.address + block.count;
  };
  bool any = false;
  for (auto it = todo_.begin(); (it = std::find_if(todo_.begin(), todo_.end(), held)) != todo_.end(); any = true) {
    std::rotate(todo_.begin(), it, it + 1);
    const auto from = words.begin() + (todo_.front().address - block.address);
    answered(Words(from, from + todo_.front().count), now);
  }
  return any;
}

void PollJob::failed(const Error& error, MonoTime now) {
  const Block block = todo_.front();
  todo_.erase(todo_.begin());
  if (error.code == Errc::kException) saw_frame_ = true;
  if (refusal(error) && split(block, error.exception, now)) return;
  failures_.emplace_back(block, error);
  leave_search(now);
}

/// False: the block is refused as it is, as one value or as a part of what is refused altogether.
bool PollJob::split(const Block& block, int exception, MonoTime now) {
  const std::vector<Block> halves = halves_of(block, asked_);
  if (halves.empty()) {
    refused_.refused(block, exception, now);
    if (search_) ++search_->alone;
    return false;
  }
  if (!search_ && !refused_.worth_splitting(block, now)) return false;
  if (search_ && !search_->answered && search_->alone >= kAloneInVain) return false;
  if (!search_) search_ = Search{block, 1, 0, false};
  search_->left += halves.size() - 1;
  todo_.insert(todo_.begin(), halves.begin(), halves.end());
  if (halves.size() > 1) splits_.emplace_back(halves[0], halves[1]);
  return true;
}

/// A part of the refused block was answered, or failed for good.
void PollJob::leave_search(MonoTime now) {
  if (!search_ || --search_->left > 0) return;
  if (!search_->answered) refused_.in_vain(search_->whole, now);
  search_.reset();
}

void PollJob::abandon(const Error& error) {
  for (const Block& block : todo_) failures_.emplace_back(block, error);
  todo_.clear();
  search_.reset();
}

void PollJob::retry() {
  answered_.clear();
  splits_.clear();
  auto keep =
      std::stable_partition(failures_.begin(), failures_.end(), [](const auto& f) { return !passing(f.second); });
  for (auto it = keep; it != failures_.end(); ++it) todo_.push_back(it->first);
  failures_.erase(keep, failures_.end());
}

std::vector<PollJob::Done> PollJob::finish(const Moment& now, bool synced, const std::string& catalog, bool give_up) {
  const bool again =
      !give_up && std::any_of(failures_.begin(), failures_.end(), [](const auto& f) { return passing(f.second); });
  const Millis pause = std::min(kLongestPause, kFirstPause * (1 << std::min(rounds_++, 6)));
  retry_at_ = now.mono + pause;
  const auto age = std::chrono::duration_cast<Millis>(now.mono - first_.value_or(now.mono));
  std::vector<Done> done;
  std::vector<Waiting> left;
  for (const Waiting& w : polls_) {
    Reading reading = reading_of(w, Stamp{now.utc - age, synced}, catalog);
    const bool whole = !reading.error && reading.errors.empty();
    if (!whole && again && retry_at_ <= w.until) {
      left.push_back(w);
    } else {
      done.push_back({w.poll, std::move(reading)});
    }
  }
  polls_ = std::move(left);
  return done;
}

MonoTime PollJob::closes_at() const {
  MonoTime last = MonoTime::min();
  for (const Waiting& w : polls_) last = std::max(last, w.until);
  return last;
}

/// Nothing: what is needed for it is there, or it is not known why it is not.
std::optional<Error> PollJob::why_missing(const Point& point) const {
  bool whole = true;
  for (const Point* needed : with_dependencies(*config().profile, {&point})) {
    for (const Block& registers : registers_of(*needed)) {
      if (image_.has(registers)) continue;
      whole = false;
      const auto found = std::find_if(failures_.begin(), failures_.end(),
                                      [&](const auto& failure) { return overlaps(failure.first, registers); });
      if (found != failures_.end()) return found->second;
    }
  }
  const auto left_out =
      std::find_if(left_out_.begin(), left_out_.end(), [&](const auto& left) { return left.first == &point; });
  if (whole || left_out == left_out_.end()) return std::nullopt;
  const int exception = left_out->second;
  return Error{Errc::kException,
               "the meter refused it (exception " + std::to_string(exception) + ") and is asked again within a day",
               exception};
}

Reading PollJob::reading_of(const Waiting& waiting, Stamp stamp, const std::string& catalog) const {
  const PollConfig& poll = bus_.polls[waiting.poll];
  Reading reading;
  reading.stamp = stamp;
  reading.meter = config().spec.id;
  reading.poll = poll.name;
  reading.slot = waiting.slot;
  reading.span = first_ ? std::chrono::duration_cast<Millis>(last_ - *first_) : Millis{0};
  reading.catalog = catalog;
  reading.serial = config().spec.serial;
  for (const Point* point : poll.points) {
    if (const auto missing = why_missing(*point)) {
      reading.errors.emplace_back(point->name, failure_of(*missing));
      continue;
    }
    const Result<Decoded> decoded = decode(*config().profile, *point, image_, config().ratios);
    if (!decoded) {
      reading.errors.emplace_back(point->name, failure_of(decoded.error()));
      continue;
    }
    reading.values.emplace_back(point->name, decoded->value);
    if (!decoded->flags.empty()) reading.flags.emplace_back(point->name, decoded->flags);
  }
  if (reading.values.empty() && !reading.errors.empty()) {
    reading.error = reading.errors.front().second;
    reading.errors.clear();
  }
  return reading;
}

}  // namespace metergate
