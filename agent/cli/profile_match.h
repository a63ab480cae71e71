#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "drivers/bus.h"
#include "drivers/profile/decode.h"
#include "drivers/profile/profile.h"

namespace metergate {

/// One unit that answers, and what it answered so far: no register is asked for twice. Reads only.
class ProbedUnit {
 public:
  ProbedUnit(Bus& bus, std::string address, std::optional<Millis> timeout)
      : bus_(bus), address_(std::move(address)), timeout_(timeout) {}

  /// Nothing where its registers cannot be had, or have no meaning.
  std::optional<Value> value(const Profile& profile, const Point& point);
  /// It has answered some registers, not exceptions alone.
  bool gave_registers() const { return gave_registers_; }
  /// The port is gone.
  const std::optional<Error>& lost() const { return lost_; }

 private:
  bool fetch(const Profile& profile, const Block& block);

  Bus& bus_;
  const std::string address_;
  const std::optional<Millis> timeout_;
  RegisterImage image_;
  std::set<std::pair<Table, std::pair<std::uint16_t, std::uint16_t>>> refused_;
  std::map<Table, int> unanswered_;  ///< requests to a table since its last answer
  bool gave_registers_ = false;
  std::optional<Error> lost_;
};

/// A profile that fits what a unit answers.
struct Candidate {
  const Profile* profile = nullptr;
  bool identified = false;  ///< its `identify` says so; else its values alone are plausible
  int wrong = 0, fitting = 0, absent = 0;
  std::vector<std::string> seen;  ///< `voltage_l1 230.1 V`
};

/// The profiles that fit, the likeliest first. A profile with `identify` fits only where that is right; others where
/// the voltage of L1 is a mains voltage, and the frequency, if they have it, a mains frequency.
std::vector<Candidate> match_profiles(ProbedUnit& unit, const std::vector<const Profile*>& profiles);

/// Whether two candidates are equally likely.
bool alike(const Candidate& a, const Candidate& b);

}  // namespace metergate
