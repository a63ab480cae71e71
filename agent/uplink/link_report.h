#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/uplink/tls_peer.h"

namespace metergate {

/// What is known of the way to one address of the broker. Each part is there as far as the connect came.
struct LinkReport {
  std::string name;  ///< as --upstream has it
  int port = 0;
  std::string address;  ///< numeric; empty: the name has none
  bool tcp = false;     ///< the other side took the connection
  std::optional<Micros> tcp_time;
  std::optional<TlsFacts> tls;
  std::optional<bool> session_present;  ///< there was a CONNACK that accepts; the broker had this gateway's session
  struct Subscription {
    std::string topic;
    bool granted = false;
  };
  std::vector<Subscription> subscriptions;  ///< answered by the broker
  std::optional<Micros> round_trip;
  std::optional<std::size_t> largest;  ///< bytes of message that the broker takes, where a limit was met
  std::size_t waiting = 0;             ///< commands that the broker sent meanwhile and that were left unacknowledged
  std::optional<MonoTime> up_since;    ///< of the running agent: connected
  std::string error;                   ///< why it would not do; empty: it would
};

/// `refused`: by the broker's access rules.
void note_subscriptions(LinkReport& link, const std::vector<std::string>& topics,
                        const std::vector<std::string>& refused);

/// Links of one process: the newest report of each address.
using LinkReports = std::vector<LinkReport>;
constexpr std::size_t kMostLinks = 64;  ///< a name may get new addresses for ever; then the oldest goes
/// Instead of an earlier one of the same address, or behind the others.
void note_link(LinkReports& links, const LinkReport& link);

/// JSON, an object: {by: "agent"|"check", client_id, links: [...]}.
std::string links_json(const std::string& by, const std::string& client_id, const LinkReports& links,
                       const Moment& now);
/// JSON, an object: {name, port, address, ok, tcp, tcp_us, tls: {version, peer, peer_until, peer_days, authority_until,
/// authority_days, own_until, own_days}, session: "kept"|"new", subscriptions: {TOPIC: "granted"|"refused"},
/// round_trip_us, largest_message, waiting, since, error}; what is not known is left
/// out, but largest_message is null then.
std::string link_json(const LinkReport& link, const Moment& now);

}  // namespace metergate
