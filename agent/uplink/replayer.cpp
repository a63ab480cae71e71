#include "agent/uplink/replayer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "agent/base/json.h"
#include "agent/command/command_result.h"
#include "agent/protocol/record_frame.h"

namespace metergate {

namespace {

const char* const kProgress = "agent.replay";  // in the key-value store: how far the running one came
constexpr std::size_t kFrameBytes = 40;        // of a message, beside the gateway's id and the records
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::array<const char*, 3> kWhy{"dropped", "purged", "unknown"};

void write_missing(JsonWriter& json, Lane lane, const std::vector<MissingRange>& missing) {
  json.key("missing").begin_array();
  for (const MissingRange& range : missing) {
    json.begin_object().member("epoch", range.epoch).member("lane", std::string(lane_name(lane)));
    json.member("from_seq", range.from_seq).member("to_seq", range.to_seq);
    json.member("why", std::string(kWhy[static_cast<std::size_t>(range.why)])).end_object();
  }
  json.end_array();
}

std::int64_t number(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member != nullptr ? member->as_integer(0, kMost).value_or(0) : 0;
}

MissingRange range_of(const Json& item) {
  MissingRange range;
  if (const Json* epoch = item.find("epoch")) range.epoch = epoch->text;
  range.from_seq = number(item, "from_seq");
  range.to_seq = number(item, "to_seq");
  const Json* why = item.find("why");
  const auto* const found = std::find(kWhy.begin(), kWhy.end(), why != nullptr ? why->text : "");
  if (found != kWhy.end()) range.why = static_cast<MissingRange::Why>(found - kWhy.begin());
  return range;
}

}  // namespace

void Replayer::give(OpenCommand command) {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    given_.push_back(std::move(command));
    if (state_) state_->waiting = given_.size();
  }
  p_.given();
}

std::size_t Replayer::room(const CommandLane&) const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return kQueue - std::min(kQueue, given_.size());
}

std::optional<ReplayState> Replayer::state() const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return state_;
}

Result<std::optional<Lane>> Replayer::lane() {
  if (!job_) {
    if (Status begun = begin(); !begun) return begun.error();
  }
  return running();
}

Status Replayer::begin() {
  if (room({}) == kQueue) return {};
  const auto saved = p_.key_values->get(kProgress);
  if (!saved) return saved.error();
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    job_ = std::move(given_.front());
    given_.pop_front();
    done_ = resumed(saved->value_or(""));
    state_ = ReplayState{job_->command.id, done_.sent, {}, 0, given_.size()};
  }
  cursor_ = done_.place;
  searched_ = false;
  if (cursor_.epoch == 0 && p_.clock_rule.expired(job_->command.expires, *p_.clock)) {
    CommandResult result = result_for(job_->command, job_->stored.received);
    result.status = "expired";
    result.error = expired_failure();
    complete(*job_, std::move(result));
  }
  return {};
}

Result<Replayer::Outgoing> Replayer::next(std::size_t max_rows, std::size_t max_bytes) {
  if (looking_) return look_for_meter(max_rows, max_bytes);
  Outgoing out;
  if (!job_ || searched_) return out;
  const std::size_t frame_bytes = kFrameBytes + p_.gateway.size();
  auto piece =
      p_.archive->search(job_->command.replay, cursor_, max_rows, max_bytes - std::min(max_bytes, frame_bytes));
  if (!piece) return piece.error();
  next_ = std::move(*piece);
  if (next_.rows.empty()) {
    pass_over();
    out.search_on = job_ && !searched_;
    return out;
  }
  RecordFrame frame(p_.gateway, false, max_bytes);
  for (const Row& row : next_.rows) frame.add(row.bytes);
  out.records = static_cast<std::int64_t>(frame.records());
  out.payload = frame.take();
  out.piece = last_id_ + 1;
  return out;
}

/// Done when what is on its way is.
void Replayer::pass_over() {
  if (pending_.empty()) {
    sent();
    return acked(last_id_);
  }
  ReplayPiece& last = pending_.back().piece;
  last.missing.insert(last.missing.end(), next_.missing.begin(), next_.missing.end());
  last.next = cursor_ = next_.next;
  last.end = searched_ = next_.end;
}

void Replayer::sent() {
  cursor_ = next_.next;
  searched_ = next_.end;
  pending_.push_back({++last_id_, std::move(next_), false});
}

void Replayer::acked(std::int64_t piece) {
  for (Pending& pending : pending_) {
    if (pending.id == piece) pending.acked = true;
  }
  settle();
}

void Replayer::lost() {
  pending_.clear();
  looking_.reset();
  cursor_ = done_.place;
  searched_ = false;
}

void Replayer::settle() {
  bool moved = false;
  bool end = false;
  while (!pending_.empty() && pending_.front().acked) {
    note(pending_.front().piece);
    end = pending_.front().piece.end;
    pending_.pop_front();
    moved = true;
  }
  if (end) return finish();
  if (moved) p_.key_values->put_later(kProgress, saved());
}

void Replayer::note(const ReplayPiece& piece) {
  done_.place = piece.next;
  done_.sent += static_cast<std::int64_t>(piece.rows.size());
  for (const MissingRange& range : piece.missing) {
    MissingRange* last = done_.missing.empty() ? nullptr : &done_.missing.back();
    if (last != nullptr && last->epoch == range.epoch && last->why == range.why && last->to_seq + 1 == range.from_seq) {
      last->to_seq = range.to_seq;
    } else if (done_.missing.size() < kMostRanges) {
      done_.missing.push_back(range);
    } else {
      ++done_.more_missing;
    }
  }
  const std::lock_guard<std::mutex> hold(mutex_);
  if (!state_) return;
  state_->sent = done_.sent;
  if (piece.rows.empty()) return;
  state_->epoch = piece.rows.back().epoch;
  state_->seq = piece.rows.back().seq;
}

/// Whether a record of any time knows the meter.
Result<Replayer::Outgoing> Replayer::look_for_meter(std::size_t max_rows, std::size_t max_bytes) {
  ReplayWish wish;
  wish.from = UtcTime::min();
  wish.to = UtcTime::max();
  wish.meter = job_->command.replay.meter;
  const auto piece = p_.archive->search(wish, *looking_, max_rows, max_bytes);
  if (!piece) return piece.error();
  Outgoing out;
  if (!piece->rows.empty()) {
    looking_.reset();
    end_well();
  } else if (piece->end) {
    looking_.reset();
    reject_unknown_meter();
  } else {
    looking_ = piece->next;
    out.search_on = true;
  }
  return out;
}

void Replayer::reject_unknown_meter() {
  CommandResult result = result_for(job_->command, job_->stored.received);
  result.status = "rejected";
  result.error = Failure{"no_such_meter", "neither the configuration nor a kept record knows the meter '" +
                                              job_->command.replay.meter + "'"};
  complete(*job_, std::move(result));
}

void Replayer::finish() {
  const std::string& meter = job_->command.replay.meter;
  if (done_.sent > 0 || meter.empty() || p_.configured(meter)) return end_well();
  looking_ = ReplayPlace{};
  p_.given();
}

void Replayer::end_well() {
  JsonWriter json;
  json.member("sent", done_.sent);
  write_missing(json, job_->command.replay.lane, done_.missing);
  if (done_.more_missing > 0) json.member("more_missing", done_.more_missing);
  CommandResult result = result_for(job_->command, job_->stored.received);
  result.status = "done";
  result.more = json.take();
  result.started = done_.started;
  complete(*job_, std::move(result));
}

/// What is remembered of it goes with the next one's.
void Replayer::complete(const OpenCommand& command, CommandResult result) {
  result.stamp = stamp_of(*p_.clock);
  result.finished = result.stamp.at;
  if (!result.started) result.started = result.stamp.at;
  p_.inbox->complete(command.stored.key, result_draft(result));
  job_.reset();
  pending_.clear();
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    state_.reset();
  }
  p_.ended();
  p_.given();
}

std::string Replayer::saved() const {
  JsonWriter json;
  json.begin_object().member("command", job_->stored.key).member("sent", done_.sent);
  json.member("started_ms", to_ms(done_.started)).member("epoch", done_.place.epoch).member("after", done_.place.after);
  json.member("seq", done_.place.seq).member("at_ms", done_.place.at_ms).member("more", done_.more_missing);
  write_missing(json, job_->command.replay.lane, done_.missing);
  return json.end_object().take();
}

/// Of another command, or unreadable: from the beginning.
Replayer::Progress Replayer::resumed(const std::string& saved) const {
  Progress progress;
  progress.started = p_.clock->utc();
  const auto json = parse_json(saved);
  if (!json || number(*json, "command") != job_->stored.key) return progress;
  progress.sent = number(*json, "sent");
  progress.started = from_ms(number(*json, "started_ms"));
  progress.place = {number(*json, "epoch"), number(*json, "after"), number(*json, "seq"), number(*json, "at_ms")};
  progress.more_missing = number(*json, "more");
  if (const Json* missing = json->find("missing")) {
    for (const Json& item : missing->items) progress.missing.push_back(range_of(item));
  }
  return progress;
}

}  // namespace metergate
