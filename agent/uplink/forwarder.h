#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "agent/uplink/duplicate_watch.h"
#include "agent/uplink/lane_sender.h"
#include "agent/uplink/receipt_timeout.h"
#include "agent/uplink/refused_lanes.h"
#include "agent/uplink/replayer.h"
#include "agent/uplink/republish_queue.h"
#include "agent/uplink/send_window.h"
#include "agent/uplink/session.h"

namespace metergate {

struct ForwarderSettings {
  std::string gateway;
  Topics topics;
  UplinkOptions uplink;
};

/// What the forwarder asks of its surroundings. All but `wake` and `command` are called by step().
struct ForwarderHooks {
  std::function<void()> wake;                           ///< step() has something to do; any thread
  std::function<bool(const Message&)> command;          ///< on the connection's thread; true when durable
  std::function<std::string(bool online)> status;       ///< payload
  std::function<std::vector<std::string>()> catalogs;   ///< payloads that waiting records name, the present one last
  std::function<bool(const std::string& epoch)> knows;  ///< whether this store ever drew the epoch
  std::function<void(const std::string& epoch)> duplicate;  ///< another gateway has this id; each time that it is seen
  std::function<Draft()> session_lost;                      ///< the event
  std::function<void()> ended;                              ///< stdout: the reader is gone, the process is to stop
};

struct SourceState {
  std::int64_t messages = 0;  ///< published
  std::int64_t records = 0;   ///< published, repeats and what was sent again among them
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
  SessionCounters link;
  std::array<SourceState, kSources> sources;
  std::int64_t repeats = 0, repeats_dropped = 0;
  std::int64_t resent = 0;  ///< records sent again for want of a receipt
  ReceiptCounters receipts;
  std::int64_t ignored_messages = 0;
  std::size_t in_flight = 0, in_flight_bytes = 0;
  std::size_t window_bytes = 0;  ///< what the link is thought to take in a second
  Nanos oldest_unacked{0};       ///< age of the oldest message in flight
};

/// From the outbox to the broker: keeps the window full, results and events before readings, and moves `delivered` as
/// far as the broker acknowledged, or as receipts tell. One thread, but where it says otherwise.
class Forwarder {
 public:
  struct Parts {
    Connector& connector;
    Outbox& outbox;
    KeyValueStore& memory;
    Replayer& replayer;
    Log& log;
    Draw draw;
    ForwarderSettings settings;
    ForwarderHooks hooks;
  };
  static constexpr std::size_t kMessageBytes = 16 << 10;
  static constexpr Millis kStatusEvery{300'000};
  static constexpr Millis kPatience{15'000};  ///< for a PUBACK, and four times what the link is thought to need for it
  static constexpr Millis kDrain{2'000};      ///< for what is in flight at stop()
  static constexpr Millis kFarewell{500};     ///< for `offline`, and for the goodbye
  static constexpr Millis kReceiptsFirst{2'000};  ///< after a connect, before records are sent again for want of one

  explicit Forwarder(Parts parts);

  /// Waits for the store's thread; see Link::step for what else it waits for.
  MonoTime step(MonoTime now);
  /// Feeds nothing more; further steps wait for what is in flight, say `offline` and disconnect.
  void stop(MonoTime now);
  bool stopped() const { return session_.ended(); }

  // Any thread.
  void committed();               ///< there may be new records
  void repeat(std::int64_t key);  ///< the record is wanted again
  void announce();                ///< the catalog has changed
  bool writes_allowed(MonoTime now) const { return duplicates_.writes_allowed(now); }
  ForwarderState state() const;

 private:
  // The lanes in their order.
  enum class Turn { kReadings, kResults, kEvents, kRepeats, kCatalog, kStatus, kAgain, kReplay };
  static constexpr std::array<Turn, 3> kUrgent{Turn::kResults, Turn::kEvents, Turn::kRepeats};
  struct InFlight {
    Handle handle;
    Source source;
    std::size_t bytes;
    std::size_t queued;  // bytes in flight when it was sent, itself among them
    MonoTime sent;
    std::int64_t last_key = 0;  // of a lane's batch
    std::int64_t records = 0;
    std::vector<std::int64_t> repeats;
    bool first_online = false;
    bool again = false;      // sent again for want of a receipt
    std::int64_t piece = 0;  // of a replay
  };

  void judge(const std::string& status, MonoTime now);
  void acked(Handle handle, MonoTime now);
  void take_receipt(const std::string& payload);
  void track(MonoTime now);
  void lost(MonoTime now);
  void came_up(MonoTime now);
  void watch(MonoTime now);
  MonoTime overdue() const;
  void feed(MonoTime now);
  void note_idle(MonoTime now);
  void wind_up(MonoTime now);
  MonoTime next_call(MonoTime now) const;
  void take_snapshot(MonoTime now);

  static constexpr Millis kStorePause{1'000};  // a store that fails may take its time for each answer: one a step

  std::array<Turn, 8> order() const;
  bool send(Turn turn, MonoTime now);
  bool send_status(bool online, MonoTime now);
  bool send_catalog(MonoTime now);
  bool send_lane(Lane lane, MonoTime now);
  bool send_repeats(MonoTime now);
  bool send_again(MonoTime now);
  bool send_again(Lane lane, MonoTime now);
  bool send_replay(MonoTime now);
  bool nothing_new() const;
  bool may_go(const LaneSender::Outgoing& out) const;
  bool publish(InFlight entry, const Message& message, MonoTime now);
  const std::string& topic(Lane lane) const { return settings_.topics.lanes[static_cast<std::size_t>(lane)]; }
  std::size_t waits_for(Source source) const;
  std::size_t room(Source source) const;
  SourceSet in_flight() const;

  Connector& connector_;
  Outbox& outbox_;
  Log& log_;
  const ForwarderSettings settings_;
  const ForwarderHooks hooks_;

  std::array<LaneSender, kLanes> lanes_;
  std::array<ReceiptTimeout, kLanes> receipt_timeouts_;
  RepublishQueue repeats_;
  Replayer& replayer_;
  bool replay_again_ = false;  // there is more to look at, at once
  RefusedLanes refused_lanes_;
  SendWindow window_;
  DuplicateWatch duplicates_;

  std::deque<InFlight> in_flight_;  // in the order of sending, at most max_inflight
  std::array<std::size_t, kSources> in_flight_bytes_{};
  Handle last_handle_ = 0;
  int since_reading_ = 0;     // messages of others sent while readings may wait
  std::size_t rotation_ = 0;  // which of kUrgent goes first
  bool again_next_ = false;   // before readings, which take turns with it
  MonoTime next_status_{};
  std::deque<std::string> catalogs_;  // to be sent
  bool online_known_ = false;         // the broker has acknowledged an `online` of this run
  MonoTime next_look_{};              // at the store, whether or not it was told to
  MonoTime store_again_{};            // not before, it had no answer
  std::optional<MonoTime> stop_at_;
  bool farewell_ = false;

  std::atomic<bool> committed_{true};
  std::atomic<bool> announce_{false};
  mutable std::mutex mutex_;  // guards state_
  ForwarderState state_;
  std::array<SourceState, kSources> counters_;
  std::int64_t repeated_ = 0, resent_ = 0;
  ReceiptCounters receipts_;
  Session session_;  // last: its connection's callbacks use what is above
};

}  // namespace metergate
