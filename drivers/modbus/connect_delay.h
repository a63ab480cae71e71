#pragma once

#include "agent/base/clock.h"

namespace metergate {

/// How long a server is left alone between a connect and the first request: some swallow what comes within the first
/// one or two seconds. Pure; of one server.
///
/// Grows while first requests on new connections stay unanswered. What was answered is kept, and shortened step by step
/// until a shorter one fails: the meter behind the server may just have been away.
class ConnectDelay {
 public:
  static constexpr Millis kFirst{500}, kLongest{2000};
  static constexpr int kEnough = 3;  ///< unanswered first requests running, after which one that worked is doubted

  explicit ConnectDelay(Nanos least) : least_(least), current_(least) {}
  Nanos current() const { return current_; }
  void answered();
  /// Nothing came for the first request on a connection.
  void unanswered();

 private:
  const Nanos least_;
  Nanos current_;
  Nanos worked_{-1};       // below 0: none did
  bool is_least_ = false;  // a shorter one than worked_ failed
  int unanswered_ = 0;
};

}  // namespace metergate
