#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "tests/sim/clock.h"

namespace metersim {

/// What goes wrong with one answer.
struct Fault {
  bool drop = false;  ///< executed, but the answer is lost
  bool corrupt = false, noise = false, foreign = false;
  bool second = false;  ///< a second master asks in between and is answered
  Nanos late = 0;
  Nanos byte_gap = 0;  ///< silence before each byte
};

/// The faults in force. Each `EVERY` counts the answers since it was set; 0 and `off` end it.
class Faults {
 public:
  /// One command: `late=10:300`, `drop=5`, `corrupt=7`, `noise=7`, `foreign=7`, `second=7`, `bytewise=2`,
  /// `exception=UNIT:CODE[:FUNCTION]` (unit 0: all), `silent=UNIT`, any of these `=off`, `hold`, `release`. False: no
  /// such fault. Throws Refused.
  bool apply(const std::string& command);

  /// For each answer in turn.
  Fault next();
  /// Whether that unit keeps quiet, doing nothing.
  bool silent(int unit) const { return hold_ || silent_.count(unit) != 0; }
  /// The exception it gives instead of doing anything.
  std::optional<std::uint8_t> exception(int unit, int function) const;

 private:
  struct Every {
    std::int64_t every = 0, seen = 0;
    bool due() { return every > 0 && ++seen % every == 0; }
  };
  std::map<std::string, Every> every_;
  Nanos late_ = 0, byte_gap_ = 0;
  bool hold_ = false;
  std::set<int> silent_;
  std::map<std::pair<int, int>, std::uint8_t> exceptions_;  ///< by unit and function, 0 for any
};

}  // namespace metersim
