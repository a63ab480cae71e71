#pragma once

#include <array>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "drivers/profile/profile.h"

namespace metergate {

/// A value as it is sent: JSON number text, a string, or null where the meter says "not available": one of the point's
/// `na` patterns, NaN or infinity (JSON has neither), or a scaling point that is not available.
struct Value {
  enum class Form { kNull, kNumber, kText };
  Form form = Form::kNull;
  std::string text;               ///< text: valid UTF-8 without control characters
  std::optional<Decimal> number;  ///< with kNumber
};

/// Transformer ratios of --meter.
struct Ratios {
  std::optional<Decimal> ct, pt;
};
/// `200/5` as 40, or `40`. Errors: kInvalid (not above zero, or the quotient is no finite decimal).
Result<Decimal> parse_ratio(std::string_view text);
/// What the point's `ratio` multiplies by, 1 without one; nothing when one of the ratios it names is not known.
std::optional<Decimal> ratio_of(const Point& point, const Ratios& ratios);

/// What was read so far, by table, item, size of the registers and address.
class RegisterImage {
 public:
  /// Of an item as many bytes as came.
  void put(const Block& block, const Words& words);
  void forget(const Block& block);
  bool has(const Block& block) const;
  /// Adds what the block's registers hold. False, and nothing is added: not all of them were read.
  [[nodiscard]] bool get(const Block& block, Words* words) const;

 private:
  struct Place {
    Table table;
    int register_bytes;
    std::uint32_t item;
    std::uint16_t address;
    bool operator<(const Place& o) const {
      return std::tie(table, register_bytes, item, address) < std::tie(o.table, o.register_bytes, o.item, o.address);
    }
  };
  struct Register {
    Place place;
    std::array<std::uint16_t, 2> words;  // the second one of those of four bytes only
    bool operator<(const Register& o) const { return place < o.place; }
  };
  using Registers = std::vector<Register>;
  static Place place(const Block& block, int offset) {
    return {block.table, block.register_bytes, block.item, static_cast<std::uint16_t>(block.address + offset)};
  }
  static bool in(const Block& block, const Register& r) {
    return r.place.table == block.table && r.place.register_bytes == block.register_bytes &&
           r.place.item == block.item && r.place.address >= block.address &&
           r.place.address < block.address + block.count;
  }
  Registers::const_iterator find(const Block& block) const;
  Registers registers_;  // sorted, each once
};

struct Decoded {
  Value value;
  std::vector<std::string> flags;  ///< "implausible": outside min and max
};

/// - An enum's value without a name is its number, as text. A point of kind text (a serial number) is a string of
/// digits, of a data item with the zeros in front.
/// - Strings begin at the first character, end at the next NUL without blanks, and have U+FFFD for bytes that are no
///   UTF-8 or are control characters.
/// - Times have seconds: `2026-11-22T10:00:30Z` for unix, without a zone for the others. Years under 100 are of
/// this
///   century.
/// Errors: kNotFound (its registers were not read); kInvalid, its detail the code that stands in the reading's errors:
/// `no_ratio`, `bad_bcd` (a digit over 9, an m10k group over 9999), `bad_time`, `overflow` (more than 38 digits, or an
/// exponent point beyond 99).
Result<Decoded> decode(const Profile& profile, const Point& point, const RegisterImage& image, const Ratios& ratios);

}  // namespace metergate
