#include "agent/uplink/session.h"

#include <algorithm>
#include <utility>

namespace metergate {

namespace {
const char* const kSession = "mqtt.session";  // in the key-value store: this gateway has a session at its broker
}

Session::Session(Parts parts)
    : p_(std::move(parts)), mailbox_(p_.topics, p_.host), pauses_(p_.backoff_min, p_.backoff_max, p_.draw) {}

Session::~Session() = default;

SessionNews Session::step(MonoTime now) {
  if (state_ == State::kDown && now >= next_) connect(now);
  if (connection_) connection_->step();
  Mail mail = mailbox_.take();
  SessionNews news{std::move(mail.statuses), std::move(mail.acked), std::move(mail.receipts)};
  if (mail.session_present && state_ == State::kConnecting) connected(*mail.session_present, now);
  if (mail.subscribed && state_ == State::kSubscribing) {
    came_up(now);
    news.up = true;
  }
  if (mail.lost && connection_) {
    news.lost = up();
    news.up = false;
    drop(*mail.lost, now);
    if (p_.connector.records_only()) state_ = State::kEnded;
  }
  if (connection_) watch(now);
  if (ended()) next_ = MonoTime::max();
  return news;
}

/// For an answer to the connect, and then to the subscription.
void Session::watch(MonoTime now) {
  next_ = MonoTime::max();
  if (up()) return;
  const MonoTime tcp_patience = since_ + kTcpPatience;
  if (state_ == State::kConnecting && now < tcp_patience) {
    next_ = tcp_patience;
  } else if (state_ == State::kConnecting && !connection_->accepted()) {
    drop("nothing answers at the address of the broker", now);
  } else if (now < since_ + pauses_.patience()) {
    next_ = since_ + pauses_.patience();
  } else {
    end("the broker takes the connection and does not answer", pauses_.after_silence(), now);
  }
}

MonoTime Session::next(MonoTime now) const { return connection_ ? std::min(next_, now + connection_->pace()) : next_; }

void Session::connect(MonoTime now) {
  connection_ = p_.connector.make(mailbox_);
  state_ = State::kConnecting;
  since_ = now;
  connection_->start();
}

void Session::connected(bool session_present, MonoTime now) {
  if (!p_.connector.records_only()) {
    const Status noted = note_session(session_present);
    if (!noted) return drop("cannot store that the broker has a session: " + noted.error().detail, now);
  }
  state_ = State::kSubscribing;
  since_ = now;
  connection_->subscribe({p_.topics.commands, p_.topics.receipts, p_.topics.status});
}

/// Durable before the gateway subscribes: the subscription begins a new session, and after it nothing shows any more
/// that the commands of the old session are gone. put() is durable after what was appended before it.
Status Session::note_session(bool present) {
  const auto known = p_.memory.get(kSession);
  if (!known) return known.error();
  if (present && *known) return {};
  if (!present && *known) {
    p_.outbox.append({p_.host.session_lost()});
    ++counters_.sessions_lost;
    p_.log.warn("the broker forgot this gateway's session, and with it the commands that waited there");
  }
  return p_.memory.put(kSession, "open");
}

void Session::came_up(MonoTime now) {
  state_ = State::kUp;
  since_ = now;
  ++counters_.connects;
  p_.log.info("connected to the broker", {{"losses", std::to_string(counters_.losses)}});
}

void Session::drop(const std::string& why, MonoTime now) {
  if (!connection_) return;
  if (up()) ++counters_.losses;
  if (up() && now - since_ >= kStable) pauses_.reset();
  end(why, pauses_.after_refusal(), now);
}

void Session::end(const std::string& why, Millis pause, MonoTime now) {
  connection_.reset();
  static_cast<void>(mailbox_.take());  // of the connection that is gone
  state_ = State::kDown;
  since_ = now;
  next_ = now + pause;
  // Each reason once for each time that the link was up: with several addresses the reasons take turns.
  const std::int64_t times = throttle_.due(why, std::to_string(counters_.connects), now);
  if (times > 0) p_.log.warn("no connection to the broker", {{"why", why}, {"times", std::to_string(times)}});
}

void Session::close(Millis patience) {
  if (connection_) connection_->disconnect(patience);
  connection_.reset();
  static_cast<void>(mailbox_.take());
  state_ = State::kEnded;
  next_ = MonoTime::max();
}

}  // namespace metergate
