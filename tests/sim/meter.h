#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/clock.h"
#include "tests/sim/frame.h"
#include "tests/sim/point_value.h"

namespace metersim {

/// What a request was about and what was served, for the log.
struct Served {
  int function = 0;
  int address = -1, count = -1;          ///< -1: the function has none
  std::optional<std::uint32_t> counter;  ///< the value of the counter registers, where they were read whole
  std::vector<std::pair<std::string, std::string>> values;  ///< points read whole, as JSON
};

struct MeterSettings {
  int unit = 1;
  Nanos turn = 0;  ///< from the end of a request to the start of the answer
  int max_registers = 125;
  std::optional<int> hole;  ///< registers without a point that may be read over; nothing: any number
  bool align = false;       ///< a read that cuts a point in two is refused
};

/// One Modbus unit: its registers and how it answers.
class Meter {
 public:
  using Key = std::pair<Table, std::uint16_t>;

  explicit Meter(MeterSettings settings) : settings_(settings) {}

  /// Every point of a profile, and whatever `identify` looks for. Throws Refused.
  void load(const ProfileFile& profile);
  void add_register(Table table, std::uint16_t address, std::uint16_t value);
  /// The first of two registers that hold a number no other answer ever held.
  void set_counter(Table table, std::uint16_t address);
  /// Sets a register for good, whatever the profile's values do. Throws Refused for a register that is not there.
  void pin(Table table, std::uint16_t address, std::uint16_t value);
  void unpin();

  /// The answer's PDU. `seconds` is time since 1970.
  Bytes answer(const Bytes& pdu, double seconds, Served& served);

  const MeterSettings& settings() const { return settings_; }
  /// Times each register or coil was written.
  const std::map<Key, std::int64_t>& writes() const { return writes_; }

 private:
  struct Cell {
    std::uint16_t value = 0;
    bool pinned = false;
  };
  struct Point {
    PointValue value;
    Field now;
  };
  void refresh(double seconds);
  bool readable(Table table, int address, int count) const;
  bool cuts_a_point(Table table, int address, int count) const;
  std::uint16_t value_at(Table table, int address) const;
  Bytes read(const Bytes& pdu, Served& served);
  Bytes write(const Bytes& pdu, Served& served);
  bool store(Table table, int address, const std::vector<std::uint16_t>& values);
  void count_poll(Table table, int address, int count, Served& served);
  void note_values(Table table, int address, int count, Served& served) const;
  void identify(const std::vector<std::string>& words, const ProfileFile& profile);
  void mirror(const ProfileFile& profile, const FilePoint& point);

  MeterSettings settings_;
  std::map<Key, Cell> cells_;
  std::map<Key, std::vector<Key>> mirrors_;  ///< what is written to the first shows in the others
  std::map<Key, std::int64_t> writes_;
  std::vector<Point> points_;
  std::int64_t shown_second_ = -1;
  std::optional<Key> counter_;
  std::uint32_t polls_ = 0;
};

}  // namespace metersim
