#pragma once

#include <string>

#include "agent/base/clock.h"

namespace metergate {

constexpr Millis kProbePatience{500};
/// Of a broker whose certificate is right, and that gives no alert.
constexpr const char* kEndsAfterHandshake =
    "it ends the connection right after the TLS handshake; it may refuse this client: see --cert-file";

/// Connects once more to a broker that could not be connected to, to find out why: says what listens there, in a text
/// for the log. In plain TCP it sends an MQTT CONNECT of a protocol level that does not exist (MQTT 3.1.1, 3.1.2.2): a
/// broker refuses it, and no session is touched. `tls`: what was spoken before. Waits at most `patience`.
std::string probe_broker(const std::string& address, int port, bool tls, Millis patience);

}  // namespace metergate
