#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/uplink/duplicate_watch.h"
#include "agent/uplink/in_flight.h"
#include "agent/uplink/lane_sender.h"
#include "agent/uplink/message_limit.h"
#include "agent/uplink/receipt_timeout.h"
#include "agent/uplink/refused_lanes.h"
#include "agent/uplink/replayer.h"
#include "agent/uplink/republish_queue.h"
#include "agent/uplink/send_window.h"
#include "agent/uplink/session.h"
#include "agent/uplink/source.h"
#include "agent/uplink/turn_order.h"

namespace metergate {

struct ForwarderSettings {
  std::string gateway;
  Topics topics;
  UplinkOptions uplink;
};

struct SourceState {
  std::int64_t messages = 0;  ///< published
  std::int64_t records = 0;   ///< published, each time that one was
  std::int64_t acked = 0;     ///< records
  bool refused = false;       ///< the broker ends the connection at it; tried alone at growing pauses
};

struct ReceiptCounters {
  std::int64_t counted = 0;      ///< told something new
  std::int64_t nothing_new = 0;  ///< late or doubled
  std::int64_t ignored = 0;      ///< unknown epoch, beyond what was sent, or not asked for
  std::int64_t malformed = 0;
};

/// A snapshot; counts since start.
struct ForwarderState {
  bool connected = false;
  MonoTime since{};  ///< connected: since when
  SessionCounters session;
  std::array<SourceState, kSources> sources;
  std::int64_t republished = 0, republish_dropped = 0;
  std::int64_t resent = 0;
  ReceiptCounters receipts;
  std::int64_t ignored_messages = 0;
  std::size_t in_flight = 0, in_flight_bytes = 0;
  std::size_t window_bytes = 0;              ///< what the link is thought to take in a second
  Nanos oldest_unacked{0};                   ///< age of the oldest message in flight
  std::shared_ptr<const LinkReports> links;  ///< the broker's addresses that were tried; of the last step
  std::optional<Micros> round_trip;          ///< of the last message, to its PUBACK
  std::optional<std::size_t> message_limit;  ///< bytes that the broker takes, where it was found to have a limit
};

/// From the outbox to the broker: keeps the window full, results and events before readings, and moves `delivered` as
/// far as the broker acknowledged, or as receipts tell. One thread, but where it says otherwise.
///
/// A record may be published more than once; each reason has a word of its own:
///   send       a lane's next records, in the order of their keys; after a loss of the connection the lane goes back to
///              the first that the broker did not acknowledge (LaneSender)
///   resend     the broker acknowledged it, but no receipt came (ReceiptTimeout)
///   republish  the backend repeated a command: it wants that result once more (RepublishQueue)
///   replay     the backend's command `replay` asks for a range of kept records (Replayer)
/// A log line that would repeat itself is throttled (LogThrottle).
class Forwarder {
 public:
  /// Filled by name; what is pointed to outlives the forwarder.
  struct Parts {
    Connector* connector = nullptr;
    Outbox* outbox = nullptr;
    KeyValueStore* key_values = nullptr;
    Replayer* replayer = nullptr;
    UplinkHost* host = nullptr;
    Log* log = nullptr;
    Draw draw;
    ForwarderSettings settings;
  };
  static constexpr std::size_t kMessageBytes = 16 << 10;
  static constexpr Millis kStatusEvery{300'000};
  static constexpr Millis kDrain{2'000};          ///< for what is in flight at stop()
  static constexpr Millis kFarewell{500};         ///< for `offline`, and for the goodbye
  static constexpr Millis kReceiptsFirst{2'000};  ///< after a connect, before records are resent for want of one

  explicit Forwarder(Parts parts);

  /// Takes up what an earlier run knew of another gateway with this id; before any write is asked for. Waits for the
  /// store's thread.
  Status restore(MonoTime now) { return duplicates_.restore(now); }

  /// Waits for the store's thread; see Session::step for what else it waits for.
  MonoTime step(MonoTime now);
  /// Sends nothing more; further steps wait for what is in flight, say `offline` and disconnect.
  void stop(MonoTime now);
  bool stopped() const { return session_.ended(); }

  // Any thread.
  void committed();                  ///< there may be new records
  void republish(std::int64_t key);  ///< the record is wanted once more
  void announce();                   ///< the catalog has changed
  bool writes_allowed(MonoTime now) const { return duplicates_.writes_allowed(now); }
  ForwarderState state() const;

 private:
  static constexpr Millis kStorePause{1'000};  // a store that fails may take its time for each answer: one a step

  void judge(const std::string& status, MonoTime now);
  void acked(Handle handle, MonoTime now);
  void take_receipt(const std::string& payload);
  void track_receipts(MonoTime now);
  void lost(MonoTime now);
  void came_up(bool was_away, MonoTime now);
  void watch(MonoTime now);
  MonoTime overdue() const;
  void wind_up(MonoTime now);
  MonoTime next_call(MonoTime now) const;
  void take_snapshot(MonoTime now);

  void feed(MonoTime now);
  void collect_catalogs(MonoTime now);
  bool send_one(MonoTime now);
  bool send_in_order(MonoTime now);
  void note_idle(MonoTime now);
  bool send(Turn turn, MonoTime now);
  bool send_status(bool online, MonoTime now);
  bool send_catalog(MonoTime now);
  bool send_lane(Lane lane, MonoTime now);
  bool republish(MonoTime now);
  bool resend(MonoTime now);
  bool resend(Lane lane, MonoTime now);
  bool replay(MonoTime now);

  bool publish(SentMessage sent, const Message& message, MonoTime now);
  std::size_t room(Source source) const;
  bool waits_for_room(const std::string& payload, std::size_t room, Source source) const;
  bool may_go(const LaneSender::Outgoing& out) const;
  bool allowed(Source source, MonoTime now) const { return refused_.allows(source, in_flight_.sources(), now); }
  bool all_sent() const;
  bool catalogs_wait() const;
  std::size_t batch() const { return static_cast<std::size_t>(settings_.uplink.batch); }
  const std::string& topic(Lane lane) const { return settings_.topics.lanes[index_of(lane)]; }

  Connector& connector_;
  Outbox& outbox_;
  UplinkHost& host_;
  Log& log_;
  const ForwarderSettings settings_;

  // What there is to publish.
  std::array<LaneSender, kLanes> lanes_;
  std::array<ReceiptTimeout, kLanes> receipt_timeouts_;
  RepublishQueue republish_;
  Replayer& replayer_;
  bool search_on_ = false;        // the replay has more to look at, at once
  std::deque<Message> catalogs_;  // to be sent
  MonoTime next_status_{};
  bool online_acked_ = false;      // the broker has acknowledged an `online` of this run
  MonoTime next_look_{};           // at the store, whether or not there was a word of new records
  MonoTime store_silent_until_{};  // it had no answer: not asked before
  std::optional<MonoTime> stop_at_;
  bool farewell_ = false;

  // Whether it may be published now.
  InFlight in_flight_;
  SendWindow window_;
  TurnOrder turns_;
  RefusedLanes refused_;
  MessageLimit limit_;
  LogThrottle duplicates_logged_;
  DuplicateWatch duplicates_;
  Handle last_handle_ = 0;

  std::atomic<bool> committed_{true};
  std::atomic<bool> announce_{false};
  mutable std::mutex mutex_;  // guards state_
  ForwarderState state_;
  std::array<SourceState, kSources> counters_;
  std::int64_t republished_ = 0, resent_ = 0;
  ReceiptCounters receipts_;
  std::optional<Micros> round_trip_;
  Session session_;  // last: its connection's callbacks use what is above
};

}  // namespace metergate
