#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/clock.h"
#include "tests/sim/meter.h"

namespace metersim {

/// A request and what was made of it.
struct Exchange {
  std::uint64_t number = 0;  ///< the same in the line of the request and in that of its answer
  std::string line;
  int unit = 0;
  Served served;
};

/// The log: one JSON object a line, in the file when the call returns. Without a file it does nothing.
class Journal {
 public:
  /// `values`: also the values of the points that were read. Throws Refused.
  Journal(const std::string& path, bool values);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// `more` is further JSON members, each with a comma before it.
  void frame(const char* kind, const Exchange& exchange, Nanos now, const std::string& more = "");
  void note(const char* kind, const std::string& text, Nanos now);

 private:
  void write_line(const std::string& line);

  int fd_ = -1;
  bool values_;
};

}  // namespace metersim
