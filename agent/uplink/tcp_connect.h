#pragma once

#include <string>

#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/base/result.h"

namespace metergate {

/// A connected socket that does not block and does not delay small writes. `address`: numeric, as resolve() gives it.
/// Waits at most `patience`. Errors: kOffline with what is wrong there, for people.
Result<Fd> connect_tcp(const std::string& address, int port, Millis patience);

}  // namespace metergate
