#include "agent/uplink/broker_addresses.h"

#include <algorithm>
#include <utility>

namespace metergate {

BrokerAddresses::BrokerAddresses(const std::vector<Endpoint>& brokers, Resolve resolve, Draw draw)
    : resolve_(std::move(resolve)), draw_(std::move(draw)) {
  for (const Endpoint& endpoint : brokers) nodes_.push_back({endpoint, {}, 0, 0, false});
  current_ = drawn(nodes_.size());
}

std::size_t BrokerAddresses::drawn(std::size_t count) {
  return static_cast<std::size_t>(draw_() * static_cast<double>(count));
}

Result<BrokerAddresses::Place> BrokerAddresses::next() {
  Node& node = nodes_[current_];
  const auto turn_over = [&] {
    node.tried = 0;
    current_ = (current_ + 1) % nodes_.size();
  };
  auto found = resolve_(node.endpoint.host, kPatience);
  // A resolver gives the same addresses in another order each time; ours is kept, so that the next one is another.
  if (found && !found->empty() &&
      !(found->size() == node.addresses.size() &&
        std::is_permutation(found->begin(), found->end(), node.addresses.begin()))) {
    node.addresses = std::move(*found);
  }
  if (node.addresses.empty()) {
    turn_over();
    if (!found) return found.error();
    return Error{Errc::kOffline, "'" + node.endpoint.host + "' has no address"};
  }
  if (!std::exchange(node.started, true)) node.next = drawn(node.addresses.size());
  Place place{node.endpoint.host, node.addresses[node.next++ % node.addresses.size()], node.endpoint.port};
  if (++node.tried >= node.addresses.size()) turn_over();
  return place;
}

}  // namespace metergate
