#pragma once

#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"

namespace metergate {

/// Addresses of a host in numeric form, in the resolver's order; IPv6 without brackets. Waits at most `patience`: the
/// lookup itself (getaddrinfo has no time limit) goes on in a detached thread, at most one for the same name at a time,
/// and a later call finds its answer. Numeric hosts never start a thread. Errors: kOffline (no answer yet, or no such
/// name).
Result<std::vector<std::string>> resolve(const std::string& host, Millis patience);

}  // namespace metergate
