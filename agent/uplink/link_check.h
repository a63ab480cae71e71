#pragma once

#include <string>
#include <vector>

#include "agent/config/options.h"
#include "agent/uplink/broker_addresses.h"
#include "agent/uplink/link_report.h"

namespace metergate {

/// How to connect as the agent would.
struct LinkCheck {
  UplinkOptions options;
  std::string password;
  std::vector<std::string> topics;  ///< the first is that of the commands
  /// The agent's store knows of a session at the broker. If the broker has none, the one that this check made is
  /// removed again: the agent has to find out that its session is lost.
  bool session_known = false;
  BrokerAddresses::Resolve resolve;
  const Clock* clock = nullptr;
};

constexpr Millis kAnswerPatience{15'000};  ///< for a TLS handshake with a CONNACK, for each SUBACK, for the PINGRESP

/// Connects to every address of every node, one after the other, under the very client id and with a persistent
/// session; subscribes, asks for a PINGRESP and disconnects. It publishes nothing, has no will, and acknowledges
/// nothing: a command that the broker sends meanwhile stays in the session. The broker ends another connection under
/// this client id, so no agent may run. Waits 5 s for a lookup, 10 s for a connect, and kAnswerPatience for an answer.
/// Ignores SIGPIPE from now on. With TLS no TlsPeer may live.
LinkReports check_links(const LinkCheck& check);

}  // namespace metergate
