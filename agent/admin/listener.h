#pragma once

#include "agent/base/clock.h"

namespace metergate {

/// A listening stream socket that may come and go. One thread.
class Listener {
 public:
  virtual ~Listener() = default;
  /// Non-blocking; -1 while there is none. Another one only after step().
  virtual int fd() const = 0;
  /// Listens where that is not so (any more); returns when it wants to be called next.
  virtual MonoTime step(MonoTime now) = 0;
};

}  // namespace metergate
