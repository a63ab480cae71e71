#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/item_frame.h"
#include "tests/sim/meter.h"
#include "tests/sim/point_value.h"

namespace metersim {

struct ItemMeterSettings {
  std::string address;  ///< 12 digits
  int number = 0;       ///< in the log and the statistics, in place of a unit
  Nanos turn = 0;
  int preamble = 4;    ///< FEs before an answer
  bool blocks = true;  ///< false: items that give several others are not known
  int part_bytes = 0;  ///< the most value bytes of one frame; 0: all
  bool bit5 = false;   ///< answers announce events by the bit that means more data
  double skew = 0;     ///< seconds by which its clock is ahead
  std::string password = "000000";
  int wrong_passwords = 3;   ///< that lock it
  bool relay_stuck = false;  ///< orders are confirmed and not obeyed
};

/// One DL/T 645 meter (2007 or 1997, as its profile says): its items and how it answers.
class ItemMeter {
 public:
  /// Throws Refused.
  ItemMeter(ItemMeterSettings settings, const ProfileFile& profile);

  const ItemMeterSettings& settings() const { return settings_; }
  /// Whether it is meant: by its address, by AA in the high places, by all AA.
  bool is_called(const std::string& address) const;
  /// The whole answer as it goes over the line; nothing: it keeps quiet. `seconds` is time since 1970.
  std::optional<Bytes> answer(const ItemFrame& request, double seconds, Served& served);
  /// The bits of an error word that it gives instead of an item; 0: none any more.
  void refuse(std::uint32_t item, std::uint8_t bits) { refused_[item] = bits; }

 private:
  struct Place {
    PointValue value;
    std::string type, form;
    std::vector<std::uint32_t> items;  ///< its parts
    int at = 0, bytes = 0;
    unsigned first_bit = 0;
    std::optional<std::pair<std::uint32_t, int>> block;
  };
  void add(const ProfileFile& profile, const FilePoint& point);
  Bytes bytes_of(const Place& place, std::uint32_t item, double seconds, std::string& json) const;
  std::optional<Bytes> item(std::uint32_t item, double seconds, Served& served) const;
  ItemFrame read(const ItemFrame& request, double seconds, Served& served);
  ItemFrame read_next(const ItemFrame& request);
  ItemFrame refusal(const ItemFrame& request, std::uint8_t bits) const;
  ItemFrame control(const ItemFrame& request, double seconds, Served& served);
  ItemFrame set_clock(const ItemFrame& request, double seconds, Served& served);
  Bytes clock_bytes(const std::string& what, double seconds) const;

  ItemMeterSettings settings_;
  bool of_1997_;
  std::vector<Place> places_;
  std::map<std::uint32_t, std::uint8_t> refused_;
  Bytes rest_;  ///< of a value that goes in parts
  Bytes rest_item_;
  bool relay_open_ = false;
  int wrong_ = 0;
};

}  // namespace metersim
