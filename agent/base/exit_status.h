#pragma once

#include <sysexits.h>

#include "agent/base/result.h"

namespace metergate {

/// The exit status (sysexits.h) of a process that an error ends.
inline int exit_status_of(const Error& error) {
  switch (error.code) {
    case Errc::kLocked:
      return EX_TEMPFAIL;
    case Errc::kNotFound:
      return EX_CANTCREAT;
    case Errc::kInvalid:
      return EX_CONFIG;
    case Errc::kOffline:
    case Errc::kTimeout:
      return EX_UNAVAILABLE;
    default:
      return EX_IOERR;
  }
}

}  // namespace metergate
