#pragma once

#include <optional>

#include "agent/bus/block_reader.h"
#include "agent/bus/bus_parts.h"

namespace metergate {

/// Whether a meter is the model that its profile describes (`identify`). Asked once a run, behind the first poll that
/// the meter answered; another model is told, and its readings go up all the same. Owned by the bus's thread.
class ModelCheck {
 public:
  ModelCheck(const BusParts& parts, std::size_t meter) : p_(parts), meter_(meter) {}

  /// The profile says how, and the meter did not answer yet.
  bool wanted() const { return !done_ && config().profile->identify.has_value(); }
  /// One transaction. False: it is over, for now where the meter did not answer. Errors: kBusDown.
  Result<bool> step();

 private:
  const MeterConfig& config() const { return p_.config->meters[meter_]; }
  void conclude();

  const BusParts& p_;
  std::size_t meter_;
  std::optional<BlockReader> reader_;  // while it is asked
  bool done_ = false;
};

}  // namespace metergate
