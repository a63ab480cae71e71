#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/log.h"
#include "agent/base/log_throttle.h"
#include "agent/uplink/connection.h"
#include "agent/uplink/mailbox.h"
#include "agent/uplink/reconnect_pauses.h"
#include "agent/uplink/uplink_host.h"
#include "store/key_value_store.h"
#include "store/outbox.h"

namespace metergate {

/// What a step of the session brought. In the order of its members.
struct SessionNews {
  std::vector<std::string> statuses;
  std::vector<Handle> acked;
  std::vector<std::string> receipts;
  bool lost = false;  ///< it was up; whatever was published and not acknowledged is unknown
  bool up = false;    ///< connected and subscribed: records may go
  bool away = false;  ///< with `up`: connects had failed, so the broker may be another one now
};

/// What a gateway subscribes to; the commands first.
inline std::vector<std::string> session_topics(const Topics& topics) {
  return {topics.commands, topics.receipts, topics.status};
}

struct SessionCounters {
  std::int64_t connects = 0, losses = 0, sessions_lost = 0;
};

/// The life cycle of the connection: connect, note a session that the broker forgot, subscribe, lose, wait, connect
/// again, each time by a fresh Connection. One thread, but for the mailbox.
class Session {
 public:
  /// Filled by name; what is pointed to outlives the session.
  struct Parts {
    Connector* connector = nullptr;
    Outbox* outbox = nullptr;
    KeyValueStore* key_values = nullptr;
    UplinkHost* host = nullptr;
    Log* log = nullptr;
    Draw draw;
    Millis backoff_min{0}, backoff_max{0};
    Topics topics;
  };
  static constexpr Millis kTcpPatience{10'000};     ///< until the broker takes the connection; then see ReconnectPauses
  static constexpr Millis kStable{30'000};          ///< up for so long: the next loss begins with the shortest pauses
  static constexpr Millis kResubscribeMin{10'000};  ///< pauses before a refused topic is subscribed again,
  static constexpr Millis kResubscribeMax{3'600'000};         ///< doubling up to here
  static constexpr const char* kSessionKey = "mqtt.session";  ///< in the store: there is a session at the broker
  static constexpr Millis kLostEvery{60'000};                 ///< at most one event session_lost in it

  explicit Session(Parts parts);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// May block for a tenth of a second when a connection ends (Paho's threads end), for a name lookup, and for the
  /// store.
  SessionNews step(MonoTime now);
  MonoTime next(MonoTime now) const;

  bool up() const { return state_ == State::kUp; }
  MonoTime up_since() const { return since_; }
  /// Whether there will be no further connection: closed, or the reader of records is gone.
  bool ended() const { return state_ == State::kEnded; }
  /// Only while up. False: not taken.
  bool publish(Handle handle, const Message& message) { return connection_->publish(handle, message); }
  /// Ends the connection for a reason of the caller's, and connects again. Gives no news.
  void drop(const std::string& why, MonoTime now);
  /// A clean goodbye, for good.
  void close(Millis patience);

  /// The addresses that were tried, and what each connect came to. Another list each time that one of them changes.
  std::shared_ptr<const LinkReports> links() const { return links_; }
  const SessionCounters& counters() const { return counters_; }
  std::int64_t ignored() const { return mailbox_.ignored(); }

 private:
  enum class State { kDown, kConnecting, kSubscribing, kUp, kEnded };
  void connect(MonoTime now);
  void connected(bool session_present, MonoTime now);
  Status note_session(bool present, MonoTime now);
  void tell_session_lost(MonoTime now);
  void subscribed(const std::vector<std::string>& refused, MonoTime now);
  void resubscribe(MonoTime now);
  void came_up(MonoTime now);
  void watch(MonoTime now);
  void end(const std::string& why, Millis pause, MonoTime now);
  void report();

  Parts p_;
  Mailbox mailbox_;
  ReconnectPauses pauses_;
  LogThrottle throttle_;
  LogThrottle lost_sessions_{kLostEvery};
  SessionCounters counters_;
  bool away_ = false;                             // a connect failed since the last one that was up
  bool lost_session_untold_ = false;              // the store knows it: an event is due
  MonoTime next_lost_event_{};                    // not before
  std::vector<std::string> refused_;              // topics
  LinkReport link_;                               // of this connection
  std::map<std::string, std::string> explained_;  // the last text that was logged for a reason
  std::shared_ptr<const LinkReports> links_ = std::make_shared<LinkReports>();
  Backoff resubscribe_pauses_;
  MonoTime resubscribe_at_ = MonoTime::max();
  State state_ = State::kDown;
  MonoTime since_{};                        // of the state
  MonoTime next_{};                         // when step() has to go on, if nothing is told before
  std::unique_ptr<Connection> connection_;  // last: its callbacks use the mailbox
};

}  // namespace metergate
