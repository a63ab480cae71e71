#include "agent/uplink/forwarder.h"

#include <algorithm>
#include <utility>

#include "agent/protocol/record_frame.h"

namespace metergate {

namespace {

constexpr Millis kLook{5'000};                // a hint from the store may be lost
constexpr std::size_t kWorthwhile = 1 << 10;  // less room than this is waited for

LaneSender sender(Lane lane, const Forwarder::Parts& parts) {
  return {lane, *parts.outbox, parts.settings.gateway, parts.connector->records_only(), parts.settings.uplink.receipts};
}
ReceiptTimeout receipt_timeout(const Forwarder::Parts& parts) {
  return {parts.settings.uplink.receipt_timeout, parts.settings.uplink.max_inflight};
}
Session::Parts session_parts(const Forwarder::Parts& parts) {
  const UplinkOptions& options = parts.settings.uplink;
  Session::Parts session;
  session.connector = parts.connector;
  session.outbox = parts.outbox;
  session.key_values = parts.key_values;
  session.host = parts.host;
  session.log = parts.log;
  session.draw = parts.draw;
  session.backoff_min = options.backoff_min;
  session.backoff_max = options.backoff_max;
  session.topics = parts.settings.topics;
  return session;
}

}  // namespace

Forwarder::Forwarder(Parts parts)
    : connector_(*parts.connector),
      outbox_(*parts.outbox),
      host_(*parts.host),
      log_(*parts.log),
      settings_(parts.settings),
      lanes_{sender(Lane::kReadings, parts), sender(Lane::kResults, parts), sender(Lane::kEvents, parts)},
      receipt_timeouts_{receipt_timeout(parts), receipt_timeout(parts), receipt_timeout(parts)},
      replayer_(*parts.replayer),
      in_flight_(parts.settings.uplink.max_inflight),
      duplicates_(*parts.key_values),
      session_(session_parts(parts)) {}

MonoTime Forwarder::step(MonoTime now) {
  const bool was_over = stopped();
  duplicates_.step(now);
  const SessionNews news = session_.step(now);
  for (const std::string& status : news.statuses) judge(status, now);  // before acknowledgements: see judge()
  for (const Handle handle : news.acked) acked(handle, now);
  for (const std::string& receipt : news.receipts) take_receipt(receipt);
  track_receipts(now);
  if (news.lost) lost(now);
  if (news.up) came_up(news.away, now);
  if (stop_at_) {
    wind_up(now);
  } else if (session_.up()) {
    watch(now);
    if (session_.up()) feed(now);
  }
  if (stopped() && !was_over && !stop_at_) host_.reader_gone();
  take_snapshot(now);
  return next_call(now);
}

/// Until the broker has this run's first `online` the topic may hold the status of an earlier life of this gateway, one
/// whose store is gone. The broker sent that status before it acknowledged the `online`, so it is read before, too.
void Forwarder::judge(const std::string& status, MonoTime now) {
  const auto epoch = epoch_of_status(status);
  if (!online_acked_ || !epoch || host_.knows_epoch(*epoch)) return;
  if (duplicates_.seen(*epoch, now)) next_status_ = std::min(next_status_, now + DuplicateWatch::kAnswerAfter);
  if (duplicates_logged_.due("duplicate_gateway", "", now) > 0) {
    log_.error("another gateway uses this gateway's id; writes are rejected until it was not seen for 10 minutes",
               {{"its_epoch", *epoch}});
  }
  host_.duplicate_gateway(*epoch);
}

void Forwarder::came_up(bool was_away, MonoTime now) {
  if (was_away) {
    refused_.broker_changed(now);
    limit_.broker_changed();
  }
  next_status_ = now;
  announce_ = true;
  next_look_ = now;
  for (ReceiptTimeout& receipt_timeout : receipt_timeouts_) receipt_timeout.hold(now + kReceiptsFirst);
}

void Forwarder::acked(Handle handle, MonoTime now) {
  const auto done = in_flight_.acked(handle);
  if (!done) return;
  window_.acked(done->queued, now - done->sent);
  round_trip_ = std::chrono::duration_cast<Micros>(now - done->sent);
  limit_.acked(done->bytes);
  counters_[index_of(done->source)].acked += done->records;
  online_acked_ = online_acked_ || done->online;
  const auto lane = lane_of(done->source);
  if (lane && done->last_key != 0) lanes_[index_of(*lane)].acked(done->last_key);
  if (done->replay_piece != 0) replayer_.acked(done->replay_piece);
  if (refused_.acked(done->source, now)) {
    log_.info("the broker takes it again", {{"what", source_name(done->source)}});
  }
}

void Forwarder::lost(MonoTime now) {
  const auto refused = refused_.lost(in_flight_.sources(), now);
  if (refused) {
    log_.error("the broker ends the connection at a message; it is kept and tried alone, everything else goes on",
               {{"what", source_name(*refused)}});
  }
  if (limit_.lost(in_flight_.largest())) {
    log_.warn("the broker ends the connection at larger messages; sending smaller ones",
              {{"lost_bytes", std::to_string(in_flight_.largest())}, {"bytes", std::to_string(limit_.bytes())}});
  }
  for (const SentMessage& sent : in_flight_.lost()) {
    for (const std::int64_t key : sent.republished) republish_.add(key);
    const auto lane = lane_of(sent.source);
    if (lane && sent.resent) receipt_timeouts_[index_of(*lane)].lost();
  }
  for (LaneSender& lane : lanes_) lane.lost();
  replayer_.lost();
  window_.lost();
}

/// A receipt that the store cannot judge at present is as good as lost: what it covers is resent, and the consumer
/// covers it once more.
void Forwarder::take_receipt(const std::string& payload) {
  const auto receipt = parse_receipt(payload);
  if (!receipt) {
    ++receipts_.malformed;
    return;
  }
  ReceiptFate fate = ReceiptFate::kIgnored;
  if (settings_.uplink.receipts) {
    const auto known = lanes_[index_of(receipt->lane)].receipt(*receipt);
    if (known) fate = *known;
  }
  switch (fate) {
    case ReceiptFate::kCounts:
      ++receipts_.counted;
      break;
    case ReceiptFate::kNothingNew:
      ++receipts_.nothing_new;
      break;
    case ReceiptFate::kIgnored:
      ++receipts_.ignored;
      break;
  }
}

void Forwarder::track_receipts(MonoTime now) {
  if (!settings_.uplink.receipts) return;
  for (std::size_t i = 0; i < receipt_timeouts_.size(); ++i)
    receipt_timeouts_[i].track(lanes_[i].delivered(), lanes_[i].acked(), now);
}

/// A reader of stdout may take its time.
MonoTime Forwarder::overdue() const {
  return connector_.records_only() ? MonoTime::max() : in_flight_.overdue(window_.bytes());
}

void Forwarder::watch(MonoTime now) {
  if (now < overdue()) return;
  session_.drop("no PUBACK came in time", now);
  lost(now);
}

void Forwarder::stop(MonoTime now) {
  if (!stop_at_) stop_at_ = now + kDrain;
}

void Forwarder::wind_up(MonoTime now) {
  if (stopped()) return;
  if (session_.up() && !in_flight_.empty() && now < *stop_at_) return;
  if (session_.up() && !farewell_) {
    farewell_ = true;
    stop_at_ = now + kFarewell;
    if (send_status(false, now)) return;
  }
  session_.close(kFarewell);
}

/// What is due already was tried in this step and waits for room. An acknowledgement wakes it, or the next look.
MonoTime Forwarder::next_call(MonoTime now) const {
  MonoTime next = session_.next(now);
  const auto consider = [&](MonoTime t) {
    if (t > now) next = std::min(next, t);
  };
  if (stop_at_ && !stopped()) consider(*stop_at_);
  consider(duplicates_.next());
  if (!session_.up() || stop_at_) return next;
  if (search_on_) return now;
  consider(overdue());
  consider(next_look_);
  consider(store_silent_until_);
  consider(republish_.next(now));
  for (const ReceiptTimeout& receipt_timeout : receipt_timeouts_) consider(receipt_timeout.next());
  consider(next_status_);
  consider(refused_.next_try());
  return next;
}

void Forwarder::feed(MonoTime now) {
  search_on_ = false;
  if (committed_.exchange(false) || now >= next_look_) {
    for (LaneSender& lane : lanes_) lane.stir();
    next_look_ = now + kLook;
  }
  collect_catalogs(now);
  while (session_.up() && !in_flight_.full() && send_one(now)) {
  }
}

void Forwarder::collect_catalogs(MonoTime now) {
  if (connector_.records_only() || now < store_silent_until_ || !announce_.exchange(false)) return;
  const auto catalogs = host_.catalogs();
  if (!catalogs) {
    announce_ = true;
    store_silent_until_ = now + kStorePause;
    return;
  }
  catalogs_.clear();
  for (const std::vector<std::string>& parts : *catalogs) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      catalogs_.push_back({settings_.topics.catalog + (i == 0 ? "" : "/" + std::to_string(i + 1)), parts[i], true});
    }
  }
}

/// A reading goes behind the catalog that it names, but where the broker refuses catalogs.
bool Forwarder::catalogs_wait() const {
  return (announce_ || !catalogs_.empty()) && !connector_.records_only() && !refused_.refused(Source::kCatalog);
}

/// Those that stepped back only when nobody else has anything.
bool Forwarder::send_one(MonoTime now) {
  return send_in_order(now) || (in_flight_.empty() && refused_.step_forward() && send_in_order(now));
}

bool Forwarder::send_in_order(MonoTime now) {
  for (const Lane lane : kAllLanes) {
    if (refused_.refused(source_of(lane)) && send(turn_of(lane), now)) return true;
  }
  note_idle(now);
  for (const Turn turn : turns_.order()) {
    if (send(turn, now)) return true;
  }
  return false;
}

/// A refused source that has nothing to send needs no try, so no room is made for one.
void Forwarder::note_idle(MonoTime now) {
  const SourceSet busy = in_flight_.sources();
  const auto note = [&](Source source, bool idle) {
    if (idle && !busy[index_of(source)]) refused_.idle(source, now);
  };
  const std::optional<Lane> replayed = replayer_.running();
  for (const Lane lane : kAllLanes) {
    const bool resends = receipt_timeouts_[index_of(lane)].due(now);
    note(source_of(lane), lanes_[index_of(lane)].idle() && !resends && replayed != lane);
  }
  note(Source::kCatalog, catalogs_.empty());
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
    case Turn::kRepublish:
      sent = republish(now);
      break;
    case Turn::kResend:
      sent = resend(now);
      break;
    case Turn::kReplay:
      sent = replay(now);
      break;
  }
  if (sent) turns_.sent(turn);
  return sent;
}

bool Forwarder::send_status(bool online, MonoTime now) {
  if (connector_.records_only() || (online && !allowed(Source::kStatus, now))) return false;
  SentMessage sent;
  sent.source = Source::kStatus;
  sent.online = online;
  if (!publish(std::move(sent), {settings_.topics.status, host_.status_payload(online), true}, now)) return false;
  next_status_ = now + kStatusEvery;
  return true;
}

bool Forwarder::send_catalog(MonoTime now) {
  if (catalogs_.empty() || !allowed(Source::kCatalog, now)) return false;
  SentMessage sent;
  sent.source = Source::kCatalog;
  if (!publish(std::move(sent), catalogs_.front(), now)) return false;
  catalogs_.pop_front();
  return true;
}

bool Forwarder::send_lane(Lane lane, MonoTime now) {
  if (lane == Lane::kReadings && catalogs_wait()) return false;
  const Source source = source_of(lane);
  LaneSender& sender = lanes_[index_of(lane)];
  const std::size_t bytes = room(source);
  if (now < store_silent_until_ || sender.idle() || bytes == 0 || !allowed(source, now)) return false;
  auto next = sender.next({batch(), bytes});
  if (!next) store_silent_until_ = now + kStorePause;
  if (!next || !*next) return false;
  LaneSender::Outgoing& out = **next;
  if (!may_go(out)) {
    // The event gets the room that was made for this lane's try.
    if (refused_.refused(source)) refused_.idle(source, now);
    return false;
  }
  if (waits_for_room(out.payload, bytes, source)) return false;
  SentMessage sent;
  sent.source = source;
  sent.last_key = out.last_key;
  sent.records = out.records;
  if (!publish(std::move(sent), {topic(lane), std::move(out.payload), false}, now)) return false;
  sender.sent(out);
  return true;
}

bool Forwarder::republish(MonoTime now) {
  const auto keys = republish_.due(batch(), now);
  const std::size_t bytes = room(Source::kResults);
  if (now < store_silent_until_ || keys.empty() || bytes == 0) return false;
  const auto rows = outbox_.fetch(keys);
  if (!rows) {
    store_silent_until_ = now + kStorePause;
    return false;
  }
  for (const std::int64_t key : keys) {
    const auto has_key = [&](const Row& row) { return row.key == key; };
    if (std::none_of(rows->begin(), rows->end(), has_key)) republish_.done(key, now);  // the store keeps it no more
  }
  RecordFrame frame(settings_.gateway, connector_.records_only(), bytes);
  SentMessage sent;
  std::optional<Lane> lane;
  for (const Row& row : *rows) {
    if (row.key > lanes_[index_of(row.lane)].acked()) {
      republish_.done(row.key, now);  // its lane sends it
      continue;
    }
    if (lane.value_or(row.lane) != row.lane) continue;
    if (!allowed(source_of(row.lane), now) || !frame.add(row.bytes)) break;
    lane = row.lane;
    sent.republished.push_back(row.key);
  }
  if (!lane) return false;
  sent.source = source_of(*lane);
  sent.records = static_cast<std::int64_t>(sent.republished.size());
  const std::vector<std::int64_t> published = sent.republished;
  if (!publish(std::move(sent), {topic(*lane), frame.take(), false}, now)) return false;
  for (const std::int64_t key : published) republish_.done(key, now);
  republished_ += static_cast<std::int64_t>(published.size());
  return true;
}

/// New readings that wait take turns with it, also while they wait for room.
bool Forwarder::resend(MonoTime now) {
  const bool readings_wait = !lanes_[index_of(Lane::kReadings)].idle() && !refused_.refused(Source::kReadings);
  if (now < store_silent_until_ || (readings_wait && !turns_.resend_before_readings())) return false;
  return std::any_of(kAllLanes.begin(), kAllLanes.end(), [&](Lane lane) { return resend(lane, now); });
}

bool Forwarder::resend(Lane lane, MonoTime now) {
  if (lane == Lane::kReadings && catalogs_wait()) return false;
  ReceiptTimeout& receipt_timeout = receipt_timeouts_[index_of(lane)];
  const std::size_t bytes = room(Source::kReadings);
  if (!receipt_timeout.due(now) || bytes == 0 || !allowed(source_of(lane), now)) return false;
  const ReceiptTimeout::Span span = receipt_timeout.span(now);
  auto out = lanes_[index_of(lane)].message_between(span.after, span.upto, {batch(), bytes});
  if (!out) {
    store_silent_until_ = now + kStorePause;
    return false;
  }
  if (out->records == 0) {
    receipt_timeout.sent(span.upto, now);
    return false;
  }
  if (!may_go(*out) || waits_for_room(out->payload, bytes, Source::kReadings)) return false;
  SentMessage sent;
  sent.source = source_of(lane);
  sent.records = out->records;
  sent.resent = true;
  if (!publish(std::move(sent), {topic(lane), std::move(out->payload), false}, now)) return false;
  receipt_timeout.sent(out->last_key, now);
  resent_ += out->records;
  return true;
}

bool Forwarder::replay(MonoTime now) {
  const std::size_t bytes = room(Source::kReadings);
  if (now < store_silent_until_ || bytes == 0 || !all_sent()) return false;
  const auto lane = replayer_.lane();
  if (!lane) store_silent_until_ = now + kStorePause;
  if (!lane || !*lane || !allowed(source_of(**lane), now)) return false;
  auto out = replayer_.next(batch(), bytes);
  if (!out) {
    store_silent_until_ = now + kStorePause;
    return false;
  }
  search_on_ = out->search_on;
  if (out->records == 0 || waits_for_room(out->payload, bytes, Source::kReadings)) return false;
  SentMessage sent;
  sent.source = source_of(**lane);
  sent.records = out->records;
  sent.replay_piece = out->piece;
  if (!publish(std::move(sent), {topic(**lane), std::move(out->payload), false}, now)) return false;
  replayer_.sent();
  return true;
}

bool Forwarder::publish(SentMessage sent, const Message& message, MonoTime now) {
  if (in_flight_.full()) return false;
  sent.handle = ++last_handle_;
  sent.bytes = message.payload.size();
  if (!session_.publish(sent.handle, message)) return false;
  SourceState& counters = counters_[index_of(sent.source)];
  ++counters.messages;
  counters.records += sent.records;
  in_flight_.add(std::move(sent), now);
  return true;
}

/// Bytes that a message may have now, 0: none is to be sent.
std::size_t Forwarder::room(Source source) const {
  const std::size_t before = in_flight_.bytes_before(source);
  if (before > 0 && before + kWorthwhile > window_.bytes()) return 0;
  return std::min({kMessageBytes, limit_.bytes(), window_.bytes() - before});
}

/// One record that is larger than the room goes alone.
bool Forwarder::waits_for_room(const std::string& payload, std::size_t room, Source source) const {
  return payload.size() > room && in_flight_.bytes_before(source) > 0;
}

/// The event that tells of a dropped range goes before the rows behind it.
bool Forwarder::may_go(const LaneSender::Outgoing& out) const {
  return out.after_event <= lanes_[index_of(Lane::kEvents)].cursor() || refused_.refused(Source::kEvents);
}

/// Nothing waits to be sent the first time. A lane that the broker refuses holds up nobody.
bool Forwarder::all_sent() const {
  return std::all_of(kAllLanes.begin(), kAllLanes.end(),
                     [&](Lane lane) { return lanes_[index_of(lane)].idle() || refused_.refused(source_of(lane)); });
}

void Forwarder::committed() {
  committed_ = true;
  host_.wake_uplink();
}

void Forwarder::republish(std::int64_t key) {
  republish_.add(key);
  host_.wake_uplink();
}

void Forwarder::announce() {
  announce_ = true;
  host_.wake_uplink();
}

ForwarderState Forwarder::state() const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return state_;
}

void Forwarder::take_snapshot(MonoTime now) {
  const std::lock_guard<std::mutex> hold(mutex_);
  state_.connected = session_.up();
  state_.since = session_.up_since();
  state_.session = session_.counters();
  state_.sources = counters_;
  for (const Source source : kAllSources) state_.sources[index_of(source)].refused = refused_.refused(source);
  state_.republished = republished_;
  state_.republish_dropped = republish_.dropped();
  state_.resent = resent_;
  state_.receipts = receipts_;
  state_.ignored_messages = session_.ignored();
  state_.in_flight = in_flight_.messages();
  state_.in_flight_bytes = in_flight_.bytes();
  state_.window_bytes = window_.bytes();
  state_.oldest_unacked = in_flight_.age(now);
  state_.links = session_.links();
  state_.round_trip = round_trip_;
  state_.message_limit = limit_.bytes() == MessageLimit::kNone ? std::nullopt : std::optional(limit_.bytes());
}

}  // namespace metergate
