#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/protocol/codec.h"
#include "agent/uplink/connection.h"
#include "agent/uplink/uplink_host.h"

namespace metergate {

/// What a connection reported since the last take(). In the order of its life: connected, subscribed, acked, lost.
struct Mail {
  std::optional<bool> session_present;                 ///< set: connected
  std::optional<std::vector<std::string>> subscribed;  ///< set: there was an answer; the topics that were refused
  std::vector<std::string> statuses;                   ///< payloads on this gateway's own status topic, a few at most
  std::vector<std::string> receipts;  ///< payloads, bounded: those beyond are ignored, as a later one covers them
  std::vector<Handle> acked;          ///< bounded by what is in flight
  std::optional<std::string> lost;
};

/// Stands between the connection's threads and the one that drives the session. Commands go straight to the host, on
/// the connection's thread.
class Mailbox final : public ConnectionListener {
 public:
  Mailbox(Topics topics, UplinkHost& host) : topics_(std::move(topics)), host_(host) {}

  Mail take();
  std::int64_t ignored() const;  ///< messages that were acknowledged and dropped, since start

  void on_connected(bool session_present) override;
  void on_subscribed(const std::vector<std::string>& refused) override;
  void on_lost(const std::string& why) override;
  void on_acked(Handle handle) override;
  bool on_message(const Message& message) override;

 private:
  template <class Note>
  void note(Note note);

  const Topics topics_;
  UplinkHost& host_;
  mutable std::mutex mutex_;  // guards mail_ and ignored_
  Mail mail_;
  std::int64_t ignored_ = 0;
};

}  // namespace metergate
