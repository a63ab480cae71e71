#include "agent/uplink/session.h"

#include <algorithm>
#include <utility>

namespace metergate {

namespace {
// Values of kSessionKey. With kUntold the loss of the session before is not told yet.
const char* const kTold = "open";
const char* const kUntold = "open, session_lost is due";
}  // namespace

Session::Session(Parts parts)
    : p_(std::move(parts)),
      mailbox_(p_.topics, *p_.host),
      pauses_(p_.backoff_min, p_.backoff_max, p_.draw),
      resubscribe_pauses_(kResubscribeMin, kResubscribeMax, [] { return 1.0; }) {}

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
    news.away = std::exchange(away_, false);
  }
  if (mail.subscribed && up()) subscribed(*mail.subscribed, now);
  if (mail.lost && connection_) {
    news.lost = up();
    news.up = false;
    drop(*mail.lost, now);
    if (p_.connector->records_only()) state_ = State::kEnded;
  }
  if (connection_) watch(now);
  if (ended()) next_ = MonoTime::max();
  return news;
}

/// For an answer to the connect, and then to the subscription.
void Session::watch(MonoTime now) {
  next_ = MonoTime::max();
  if (up()) {
    resubscribe(now);
    tell_session_lost(now);
    next_ = std::min(resubscribe_at_, lost_session_untold_ ? next_lost_event_ : MonoTime::max());
    return;
  }
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
  connection_ = p_.connector->make(mailbox_);
  link_ = {};
  state_ = State::kConnecting;
  since_ = now;
  connection_->start();
}

void Session::connected(bool session_present, MonoTime now) {
  if (!p_.connector->records_only()) {
    const Status noted = note_session(session_present, now);
    if (!noted) return drop("cannot store that the broker has a session: " + noted.error().detail, now);
  }
  state_ = State::kSubscribing;
  since_ = now;
  connection_->describe(link_);
  link_.tcp = true;
  link_.session_present = session_present;
  connection_->subscribe(session_topics(p_.topics));
}

/// Durable before the gateway subscribes: the subscription begins a new session, and after it nothing shows any more
/// that the commands of the old session are gone. put() is durable after what was appended before it.
Status Session::note_session(bool present, MonoTime now) {
  const auto known = p_.key_values->get(kSessionKey);
  if (!known) return known.error();
  lost_session_untold_ = *known && **known == kUntold;
  if (!present && *known) {
    lost_session_untold_ = true;
    ++counters_.sessions_lost;
    const std::int64_t times = lost_sessions_.due("session", "lost", now);
    if (times > 0) {
      p_.log->warn("the broker forgot this gateway's session, and with it the commands that waited there",
                   {{"times", std::to_string(times)}});
    }
  }
  const bool tell = lost_session_untold_ && now >= next_lost_event_;
  if (tell) {
    p_.outbox->append({p_.host->session_lost()});
    next_lost_event_ = now + kLostEvery;
    lost_session_untold_ = false;
  }
  const char* const state = lost_session_untold_ ? kUntold : kTold;
  if (*known && **known == state && !tell) return {};
  return p_.key_values->put(kSessionKey, state);
}

/// One that was held back. It is durable before the note that it was told.
void Session::tell_session_lost(MonoTime now) {
  if (!lost_session_untold_ || now < next_lost_event_) return;
  p_.outbox->append({p_.host->session_lost()});
  next_lost_event_ = now + kLostEvery;
  lost_session_untold_ = false;
  p_.key_values->put_later(kSessionKey, kTold);
}

void Session::subscribed(const std::vector<std::string>& refused, MonoTime now) {
  for (const std::string& topic : refused) {
    if (std::find(refused_.begin(), refused_.end(), topic) != refused_.end()) continue;
    p_.log->error(
        "the broker refuses a subscription; nothing arrives on this topic until its access rules let this user "
        "read it",
        {{"topic", topic}});
  }
  if (refused.empty() && !refused_.empty()) p_.log->info("the broker grants all subscriptions again");
  refused_ = refused;
  note_subscriptions(link_, session_topics(p_.topics), refused);
  report();
  resubscribe_at_ = refused.empty() ? MonoTime::max() : now + resubscribe_pauses_.next();
  if (refused.empty()) resubscribe_pauses_.reset();
}

void Session::resubscribe(MonoTime now) {
  if (now < resubscribe_at_) return;
  resubscribe_at_ = MonoTime::max();
  connection_->subscribe(refused_);
}

void Session::came_up(MonoTime now) {
  state_ = State::kUp;
  since_ = now;
  link_.up_since = now;
  ++counters_.connects;
  p_.log->info("connected to the broker", {{"losses", std::to_string(counters_.losses)}});
}

void Session::drop(const std::string& why, MonoTime now) {
  if (!connection_) return;
  if (up()) ++counters_.losses;
  if (up() && now - since_ >= kStable) pauses_.reset();
  end(why, pauses_.after_refusal(), now);
}

void Session::end(const std::string& why, Millis pause, MonoTime now) {
  const bool was_connecting = state_ == State::kConnecting;
  connection_->describe(link_);
  link_.tcp = link_.tcp || connection_->accepted();
  link_.up_since.reset();
  away_ = away_ || !up();
  resubscribe_at_ = MonoTime::max();
  state_ = State::kDown;
  since_ = now;
  next_ = now + pause;
  // Each reason once for each time that the link was up: with several addresses the reasons take turns.
  const std::int64_t times = throttle_.due(why, std::to_string(counters_.connects), now);
  if (times > 0) {
    const std::string text = was_connecting ? connection_->explain(why) : why;
    if (explained_.size() >= kMostLinks) explained_.clear();
    explained_[why] = text;
    p_.log->warn("no connection to the broker", {{"why", text}, {"times", std::to_string(times)}});
  }
  const auto known = explained_.find(why);
  link_.error = known == explained_.end() ? why : known->second;
  report();
  connection_.reset();
  static_cast<void>(mailbox_.take());  // of the connection that is gone
}

void Session::report() {
  if (link_.name.empty()) return;
  auto links = std::make_shared<LinkReports>(*links_);
  note_link(*links, link_);
  links_ = std::move(links);
}

void Session::close(Millis patience) {
  if (connection_) connection_->disconnect(patience);
  connection_.reset();
  static_cast<void>(mailbox_.take());
  state_ = State::kEnded;
  next_ = MonoTime::max();
}

}  // namespace metergate
