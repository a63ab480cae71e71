#include <algorithm>
#include <utility>

#include "agent/protocol/record_frame.h"
#include "agent/uplink/forwarder.h"

namespace metergate {

namespace {
constexpr Millis kLook{5'000};                // a hint from the store may be lost
constexpr std::size_t kWorthwhile = 1 << 10;  // less room than this is waited for
constexpr int kOthersPerReading = 3;
}  // namespace

void Forwarder::feed(MonoTime now) {
  replay_again_ = false;
  if (committed_.exchange(false) || now >= next_look_) {
    for (LaneSender& lane : lanes_) lane.stir();
    next_look_ = now + kLook;
  }
  if (announce_.exchange(false) && !connector_.records_only()) {
    const auto catalogs = hooks_.catalogs();
    catalogs_.assign(catalogs.begin(), catalogs.end());
  }
  const auto send_one = [&] {
    for (const Lane lane : kAllLanes) {
      if (refused_lanes_.refused(source_of(lane)) && send(static_cast<Turn>(lane), now)) return true;
    }
    note_idle(now);
    for (const Turn turn : order()) {
      if (send(turn, now)) return true;
    }
    return false;
  };
  while (session_.up() && in_flight_.size() < static_cast<std::size_t>(settings_.uplink.max_inflight) && send_one()) {
  }
}

/// No room is made for the try of something that has nothing to send.
void Forwarder::note_idle(MonoTime now) {
  const SourceSet busy = in_flight();
  const auto note = [&](Source source, bool idle) {
    if (idle && !busy[static_cast<std::size_t>(source)]) refused_lanes_.idle(source, now);
  };
  const std::optional<Lane> replayed = replayer_.running();
  for (const Lane lane : kAllLanes) {
    const auto i = static_cast<std::size_t>(lane);
    note(source_of(lane), lanes_[i].idle() && !receipt_timeouts_[i].due(now) && replayed != lane);
  }
  note(Source::kCatalog, catalogs_.empty());
}

std::array<Forwarder::Turn, 8> Forwarder::order() const {
  const auto urgent = [&](std::size_t i) { return kUrgent[(rotation_ + i) % kUrgent.size()]; };
  if (since_reading_ >= kOthersPerReading) {
    return {Turn::kReadings, Turn::kStatus, Turn::kCatalog, urgent(0),
            urgent(1),       urgent(2),     Turn::kAgain,   Turn::kReplay};
  }
  const Turn first = again_next_ ? Turn::kAgain : Turn::kReadings;
  const Turn second = again_next_ ? Turn::kReadings : Turn::kAgain;
  return {Turn::kStatus, Turn::kCatalog, urgent(0), urgent(1), urgent(2), first, second, Turn::kReplay};
}

bool Forwarder::send(Turn turn, MonoTime now) {
  bool sent = false;
  switch (turn) {
    case Turn::kStatus:
      sent = now >= next_status_ && send_status(true, now);
      break;
    case Turn::kCatalog:
      sent = send_catalog(now);
      break;
    case Turn::kReadings:
      sent = send_lane(Lane::kReadings, now);
      break;
    case Turn::kResults:
      sent = send_lane(Lane::kResults, now);
      break;
    case Turn::kEvents:
      sent = send_lane(Lane::kEvents, now);
      break;
    case Turn::kRepeats:
      sent = send_repeats(now);
      break;
    case Turn::kAgain:
      sent = send_again(now);
      break;
    case Turn::kReplay:
      sent = send_replay(now);
      break;
  }
  if (!sent) return false;
  if (turn == Turn::kReadings || turn == Turn::kAgain) again_next_ = turn == Turn::kReadings;
  since_reading_ = turn == Turn::kReadings ? 0 : since_reading_ + 1;
  for (std::size_t i = 0; i < kUrgent.size(); ++i) {
    if (kUrgent[i] == turn) rotation_ = i + 1;
  }
  return true;
}

bool Forwarder::send_status(bool online, MonoTime now) {
  if (connector_.records_only() || (online && !refused_lanes_.allows(Source::kStatus, in_flight(), now))) return false;
  InFlight entry{};
  entry.source = Source::kStatus;
  entry.first_online = online;
  if (!publish(std::move(entry), {settings_.topics.status, hooks_.status(online), true}, now)) return false;
  next_status_ = now + kStatusEvery;
  return true;
}

bool Forwarder::send_catalog(MonoTime now) {
  if (catalogs_.empty() || !refused_lanes_.allows(Source::kCatalog, in_flight(), now)) return false;
  InFlight entry{};
  entry.source = Source::kCatalog;
  if (!publish(std::move(entry), {settings_.topics.catalog, catalogs_.front(), true}, now)) return false;
  catalogs_.pop_front();
  return true;
}

/// Readings wait for whatever is in flight, the others for their like only.
std::size_t Forwarder::waits_for(Source source) const {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < in_flight_bytes_.size(); ++i) {
    if (source == Source::kReadings || static_cast<Source>(i) != Source::kReadings) bytes += in_flight_bytes_[i];
  }
  return bytes;
}

/// Bytes that a message may have now, 0: none is to be sent.
std::size_t Forwarder::room(Source source) const {
  const std::size_t ahead = waits_for(source);
  if (ahead > 0 && ahead + kWorthwhile > window_.bytes()) return 0;
  return std::min(kMessageBytes, window_.bytes() - ahead);
}

bool Forwarder::send_lane(Lane lane, MonoTime now) {
  const Source source = source_of(lane);
  LaneSender& sender = lanes_[static_cast<std::size_t>(lane)];
  const std::size_t bytes = room(source);
  if (now < store_again_ || sender.idle() || bytes == 0 || !refused_lanes_.allows(source, in_flight(), now))
    return false;
  auto next = sender.next({static_cast<std::size_t>(settings_.uplink.batch), bytes});
  if (!next) store_again_ = now + kStorePause;
  if (!next || !*next) return false;
  LaneSender::Outgoing& out = **next;
  if (!may_go(out)) {
    // The event gets the room that was made for this lane's try.
    if (refused_lanes_.refused(source)) refused_lanes_.idle(source, now);
    return false;
  }
  if (out.payload.size() > bytes && waits_for(source) > 0) return false;  // one large record goes alone
  InFlight entry{};
  entry.source = source;
  entry.last_key = out.last_key;
  entry.records = out.records;
  if (!publish(std::move(entry), {topic(lane), std::move(out.payload), false}, now)) return false;
  sender.sent(out);
  return true;
}

/// The event that tells of a dropped range goes before the rows behind it.
bool Forwarder::may_go(const LaneSender::Outgoing& out) const {
  const LaneSender& events = lanes_[static_cast<std::size_t>(Lane::kEvents)];
  return out.after_event <= events.cursor() || refused_lanes_.refused(Source::kEvents);
}

bool Forwarder::send_repeats(MonoTime now) {
  const auto keys = repeats_.due(static_cast<std::size_t>(settings_.uplink.batch), now);
  const std::size_t bytes = room(Source::kResults);
  if (now < store_again_ || keys.empty() || bytes == 0) return false;
  const auto rows = outbox_.fetch(keys);
  if (!rows) {
    store_again_ = now + kStorePause;
    return false;
  }
  for (const std::int64_t key : keys) {
    const auto has_key = [&](const Row& row) { return row.key == key; };
    if (std::none_of(rows->begin(), rows->end(), has_key)) repeats_.done(key, now);  // gone
  }
  RecordFrame frame(settings_.gateway, connector_.records_only(), bytes);
  InFlight entry{};
  std::optional<Lane> lane;
  for (const Row& row : *rows) {
    if (row.key > lanes_[static_cast<std::size_t>(row.lane)].acked()) {
      repeats_.done(row.key, now);  // it is on its way
      continue;
    }
    if (lane.value_or(row.lane) != row.lane) continue;
    if (!refused_lanes_.allows(source_of(row.lane), in_flight(), now) || !frame.add(row.bytes)) break;
    lane = row.lane;
    entry.repeats.push_back(row.key);
  }
  if (!lane) return false;
  entry.source = source_of(*lane);
  const std::vector<std::int64_t> sent = entry.repeats;
  if (!publish(std::move(entry), {topic(*lane), frame.take(), false}, now)) return false;
  for (const std::int64_t key : sent) repeats_.done(key, now);
  repeated_ += static_cast<std::int64_t>(sent.size());
  return true;
}

bool Forwarder::publish(InFlight entry, const Message& message, MonoTime now) {
  if (in_flight_.size() >= static_cast<std::size_t>(settings_.uplink.max_inflight)) return false;
  entry.handle = ++last_handle_;
  if (!session_.publish(entry.handle, message)) return false;
  const auto source = static_cast<std::size_t>(entry.source);
  entry.bytes = message.payload.size();
  in_flight_bytes_[source] += entry.bytes;
  entry.queued = waits_for(Source::kReadings);
  entry.sent = now;
  ++counters_[source].messages;
  counters_[source].records += entry.records + static_cast<std::int64_t>(entry.repeats.size());
  in_flight_.push_back(std::move(entry));
  return true;
}

SourceSet Forwarder::in_flight() const {
  SourceSet set;
  for (const InFlight& f : in_flight_) set.set(static_cast<std::size_t>(f.source));
  return set;
}

}  // namespace metergate
