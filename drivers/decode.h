#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "drivers/profile.h"

namespace metergate {

/// A value as it is sent: JSON number text, a string, or null where the meter says "not available".
struct Value {
  enum class Form { kNull, kNumber, kText };
  Form form = Form::kNull;
  std::string text;
  std::optional<Decimal> number;  ///< with kNumber
};

/// Transformer ratios of --meter.
struct Ratios {
  std::optional<Decimal> ct, pt;
};
/// `200/5` as 40. Errors: kInvalid.
Result<Decimal> parse_ratio(std::string_view text);

/// What was read so far, by table and address.
class RegisterImage {
 public:
  void put(const Block& block, const Words& words);
  bool has(const Block& block) const;
  /// Only what has() is true for.
  Words get(const Block& block) const;

 private:
  std::map<std::pair<Table, std::uint16_t>, std::uint16_t> words_;
};

struct Decoded {
  Value value;
  std::vector<std::string> flags;  ///< "implausible": outside min and max
};

/// Errors: kNotFound (its registers were not read), kInvalid with detail `no_ratio`, `bad_bcd`, `bad_time` or `overflow`: the
/// code that stands in the reading's errors.
Result<Decoded> decode(const Profile& profile, const Point& point, const RegisterImage& image, const Ratios& ratios);

/// A value to write, as JSON gave it: number text, or the name of an enum's value. Exact: 0.07 at scale 0.01 sends 7.
/// Errors: kInvalid (no such name, outside min, max or allow, a fraction below the scale, does not fit the type).
Result<Write> encode(const Profile& profile, const Point& point, const Value& value, const Ratios& ratios);

}  // namespace metergate
