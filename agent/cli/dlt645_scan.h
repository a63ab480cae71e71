#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "agent/cli/bus_reader.h"
#include "drivers/profile/profile.h"

namespace metergate {

/// Looks for DL/T 645 meters, by reads alone. A request to all of them (address AA...) finds the only one on a line;
/// where several answer at once their answers damage each other, and they are asked by the low digits of the address,
/// ten by ten and further where there is still more than one. Each is then asked by its own address.
class Dlt645Scan {
 public:
  /// All outlive it.
  Dlt645Scan(const std::string& bus_name, const ProfileLibrary& library, const BusTools& tools, std::ostream& out,
             std::ostream& err)
      : name_(bus_name), library_(library), tools_(tools), out_(out), err_(err) {}

  /// Settings to try: each of `bauds` with each of `modes`, where those are given, else the bus's own and then the
  /// usual ones. None for Modbus TCP.
  static std::vector<BusSettings> settings_of(const BusSpec& bus, const std::vector<int>& bauds,
                                              const std::vector<std::string>& modes);
  /// How long one of them takes when nobody answers.
  static Nanos silent_time(const BusSettings& settings);

  /// Errors: the port.
  Status run(const BusSettings& settings);
  int found() const { return static_cast<int>(found_.size()); }

 private:
  enum class Reply { kNothing, kOne, kSeveral };
  Result<Reply> ask(Bus& bus, const std::string& called, std::string* address);
  Status descend(Bus& bus, const BusSettings& settings, const std::string& low);
  Status look_for_1997(Bus& bus, const BusSettings& settings);
  Status confirm(Bus& bus, const BusSettings& settings, const std::string& address);
  Result<Words> read(Bus& bus, const std::string& address, Family family, std::uint32_t item, int bytes) const;
  std::string profile_of(Bus& bus, const std::string& address) const;
  void tell(Bus& bus, const BusSettings& settings, const std::string& address, const std::string& profile) const;

  const std::string name_;
  const ProfileLibrary& library_;
  const BusTools& tools_;
  std::ostream& out_;
  std::ostream& err_;
  std::vector<std::string> found_;  ///< addresses
};

}  // namespace metergate
