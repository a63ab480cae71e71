#include "agent/uplink/forwarder.h"

#include <algorithm>
#include <utility>

namespace metergate {

namespace {
LaneSender sender(Lane lane, const Forwarder::Parts& parts) {
  return {lane, parts.outbox, parts.settings.gateway, parts.connector.records_only(), parts.settings.uplink.receipts};
}
ReceiptTimeout receipt_timeout(const Forwarder::Parts& parts) {
  return {parts.settings.uplink.receipt_timeout, parts.settings.uplink.max_inflight};
}
}  // namespace

Forwarder::Forwarder(Parts parts)
    : connector_(parts.connector),
      outbox_(parts.outbox),
      log_(parts.log),
      settings_(parts.settings),
      hooks_(parts.hooks),
      lanes_{sender(Lane::kReadings, parts), sender(Lane::kResults, parts), sender(Lane::kEvents, parts)},
      receipt_timeouts_{receipt_timeout(parts), receipt_timeout(parts), receipt_timeout(parts)},
      replayer_(parts.replayer),
      session_({parts.connector, parts.outbox, parts.memory, parts.hooks.session_lost, parts.log, parts.draw,
                parts.settings.uplink.backoff_min, parts.settings.uplink.backoff_max, parts.settings.topics},
               {parts.hooks.command, parts.hooks.wake}) {}

MonoTime Forwarder::step(MonoTime now) {
  const bool was_over = stopped();
  const SessionNews news = session_.step(now);
  for (const std::string& status : news.statuses) judge(status, now);  // before acknowledgements: see judge()
  for (const Handle handle : news.acked) acked(handle, now);
  for (const std::string& receipt : news.receipts) take_receipt(receipt);
  track(now);
  if (news.lost) lost(now);
  if (news.up) came_up(now);
  if (stop_at_) {
    wind_up(now);
  } else if (session_.up()) {
    watch(now);
    if (session_.up()) feed(now);
  }
  if (stopped() && !was_over && !stop_at_) hooks_.ended();
  take_snapshot(now);
  return next_call(now);
}

/// Before the broker has this run's first `online` the topic may hold what an earlier life of this gateway left there,
/// one whose store is gone; it was sent before that acknowledgement, so it is read before it.
void Forwarder::judge(const std::string& status, MonoTime now) {
  const auto epoch = epoch_of_status(status);
  if (!online_known_ || !epoch || hooks_.knows(*epoch)) return;
  if (duplicates_.seen(*epoch, now)) next_status_ = std::min(next_status_, now + DuplicateWatch::kAnswerAfter);
  hooks_.duplicate(*epoch);
}

void Forwarder::came_up(MonoTime now) {
  next_status_ = now;
  announce_ = true;
  next_look_ = now;
  for (ReceiptTimeout& receipt_timeout : receipt_timeouts_) receipt_timeout.hold(now + kReceiptsFirst);
}

void Forwarder::acked(Handle handle, MonoTime now) {
  const auto it =
      std::find_if(in_flight_.begin(), in_flight_.end(), [&](const InFlight& f) { return f.handle == handle; });
  if (it == in_flight_.end()) return;
  const InFlight done = std::move(*it);
  in_flight_.erase(it);
  const auto source = static_cast<std::size_t>(done.source);
  in_flight_bytes_[source] -= done.bytes;
  window_.acked(done.queued, now - done.sent);
  counters_[source].acked += done.records;
  online_known_ = online_known_ || done.first_online;
  if (done.last_key != 0) lanes_[source].acked(done.last_key);
  if (done.piece != 0) replayer_.acked(done.piece);
  if (refused_lanes_.acked(done.source)) log_.info("the broker takes it again", {{"what", source_name(done.source)}});
}

void Forwarder::lost(MonoTime now) {
  const auto refused = refused_lanes_.lost(in_flight(), now);
  if (refused) {
    log_.error("the broker ends the connection at a message; it is kept and tried alone, everything else goes on",
               {{"what", source_name(*refused)}});
  }
  for (const InFlight& f : in_flight_) {
    for (const std::int64_t key : f.repeats) repeats_.ask(key);
    if (f.again) receipt_timeouts_[static_cast<std::size_t>(f.source)].lost();
  }
  in_flight_.clear();
  in_flight_bytes_.fill(0);
  for (LaneSender& lane : lanes_) lane.lost();
  replayer_.lost();
  window_.lost();
}

/// When the oldest message in flight will have waited too long.
MonoTime Forwarder::overdue() const {
  if (connector_.records_only() || in_flight_.empty()) return MonoTime::max();
  const InFlight& oldest = in_flight_.front();
  const auto seconds = 4.0 * static_cast<double>(oldest.queued) / static_cast<double>(window_.bytes());
  return oldest.sent + kPatience + std::chrono::duration_cast<Nanos>(std::chrono::duration<double>(seconds));
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

/// What is due already was tried in this step and waits for room: an acknowledgement wakes it, at the latest the next
/// look.
MonoTime Forwarder::next_call(MonoTime now) const {
  MonoTime next = session_.next(now);
  const auto consider = [&](MonoTime t) {
    if (t > now) next = std::min(next, t);
  };
  if (stop_at_ && !stopped()) consider(*stop_at_);
  if (!session_.up() || stop_at_) return next;
  if (replay_again_) return now;
  consider(overdue());
  consider(next_look_);
  consider(store_again_);
  consider(repeats_.next(now));
  for (const ReceiptTimeout& receipt_timeout : receipt_timeouts_) consider(receipt_timeout.next());
  consider(next_status_);
  consider(refused_lanes_.next_try());
  return next;
}

void Forwarder::committed() {
  committed_ = true;
  hooks_.wake();
}

void Forwarder::repeat(std::int64_t key) {
  repeats_.ask(key);
  hooks_.wake();
}

void Forwarder::announce() {
  announce_ = true;
  hooks_.wake();
}

ForwarderState Forwarder::state() const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return state_;
}

void Forwarder::take_snapshot(MonoTime now) {
  const std::lock_guard<std::mutex> hold(mutex_);
  state_.connected = session_.up();
  state_.since = session_.up_since();
  state_.link = session_.counters();
  state_.sources = counters_;
  for (std::size_t i = 0; i < counters_.size(); ++i)
    state_.sources[i].refused = refused_lanes_.refused(static_cast<Source>(i));
  state_.repeats = repeated_;
  state_.repeats_dropped = repeats_.dropped();
  state_.resent = resent_;
  state_.receipts = receipts_;
  state_.ignored_messages = session_.ignored();
  state_.in_flight = in_flight_.size();
  state_.in_flight_bytes = 0;
  for (const std::size_t bytes : in_flight_bytes_) state_.in_flight_bytes += bytes;
  state_.window_bytes = window_.bytes();
  state_.oldest_unacked = in_flight_.empty() ? Nanos{0} : now - in_flight_.front().sent;
}

}  // namespace metergate
