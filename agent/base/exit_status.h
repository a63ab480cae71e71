#pragma once

#include <sysexits.h>

#include "agent/base/result.h"

namespace metergate {

/// What a process says at its end when it could not have the store.
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
