#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/random.h"
#include "agent/base/result.h"
#include "agent/config/endpoint.h"

namespace metergate {

/// Where the next connect goes: the nodes of one broker, each with all addresses of its name. Begins with one at
/// random, so that a fleet spreads over them; each further try takes the next. One thread.
class BrokerAddresses {
 public:
  using Resolve = std::function<Result<std::vector<std::string>>(const std::string& host, Millis patience)>;
  static constexpr Millis kPatience{500};  ///< for a lookup

  BrokerAddresses(const std::vector<Endpoint>& brokers, Resolve resolve, Draw draw);

  struct Place {
    std::string host;     ///< as configured
    std::string address;  ///< numeric
    int port = 0;
  };
  /// Looks the name up each time; where that fails the addresses of the last lookup stay. Waits at most kPatience.
  /// Errors: that of the lookup, of a name that never had an address; the next call goes on with the next node.
  Result<Place> next();
  /// The node that next() will look up.
  const Endpoint& upcoming() const { return nodes_[current_].endpoint; }

 private:
  struct Node {
    Endpoint endpoint;
    std::vector<std::string> addresses;  // of the last lookup that found any
    std::size_t next = 0;
    std::size_t tried = 0;  // in this round
    bool started = false;
  };
  std::size_t drawn(std::size_t count);

  Resolve resolve_;
  Draw draw_;
  std::vector<Node> nodes_;
  std::size_t current_ = 0;
};

}  // namespace metergate
