#include "tests/sim/point_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tests/sim/plausible.h"
#include "tests/sim/text.h"

namespace metersim {
namespace {

/// `exponent=POINT-4`: the name, and the 4.
std::pair<std::string, int> exponent_of(const FilePoint& point) {
  const std::string text = point.key("exponent");
  const auto dash = text.find('-');
  if (dash == std::string::npos) return {text, 0};
  return {text.substr(0, dash), static_cast<int>(whole_number(text.substr(dash + 1), 0, 40, "exponent"))};
}

std::optional<std::int64_t> role_of(const ProfileFile& profile, const FilePoint& point, int meter) {
  for (const auto& other : profile.points) {
    const auto [exponent, minus] = exponent_of(other);
    if (exponent == point.name) return std::max(0, minus - 1);
    if (other.key("times") == point.name) return 10;
    if (other.key("sign") == point.name) return meter % 2;
  }
  return std::nullopt;
}

Exact value_of_role(const ProfileFile& profile, const std::string& name, int meter) {
  const FilePoint* point = profile.find(name);
  if (point == nullptr) throw Refused("names the unknown point '" + name + "'");
  const Exact raw{role_of(profile, *point, meter).value_or(0), 0};
  return raw * parse_exact(point->key("scale", "1")) + parse_exact(point->key("offset", "0"));
}

std::optional<double> bound(const FilePoint& point, const char* key) {
  const std::string text = point.key(key);
  if (text.empty()) return std::nullopt;
  return parse_exact(text).approximate();
}

/// The whole number that `0xFFFF` (a pattern) or `-1` (a number) stands for; nothing for what is neither, such as
/// `nan`.
std::optional<std::int64_t> whole_of(const FilePoint& point, const std::string& text) {
  const bool hex = text.rfind("0x", 0) == 0;
  std::uint64_t pattern = 0;
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  if (!hex) return std::from_chars(text.data(), end, number).ec == std::errc{} ? std::optional(number) : std::nullopt;
  if (std::from_chars(text.data() + 2, end, pattern, 16).ec != std::errc{}) return std::nullopt;
  const int words = point.registers * static_cast<int>(point.addresses.size());
  const unsigned unused = words >= 4 ? 0 : 64U - 16U * static_cast<unsigned>(words);
  if (point.type[0] != 'i') return static_cast<std::int64_t>(pattern);
  return static_cast<std::int64_t>(pattern << unused) >> unused;  // the sign comes from the top bit of the type
}

}  // namespace

PointValue::PointValue(const ProfileFile& profile, const FilePoint& point, int meter)
    : point_(point),
      meter_(meter),
      is_text_(point.key("kind", point.name == "serial_number" ? "text" : "") == "text"),
      role_(role_of(profile, point, meter)),
      scale_(parse_exact(point.key("scale", "1"))),
      offset_(parse_exact(point.key("offset", "0"))),
      factor_{1, 0},
      min_(bound(point, "min")),
      max_(bound(point, "max")),
      wraps_(bound(point, "wraps")) {
  const auto [exponent, minus] = exponent_of(point);
  if (!exponent.empty())
    factor_.exponent += static_cast<int>(std::lround(value_of_role(profile, exponent, meter).approximate())) - minus;
  if (const auto times = point.key("times"); !times.empty()) factor_ = factor_ * value_of_role(profile, times, meter);
  if (const auto sign = point.key("sign"); !sign.empty() && value_of_role(profile, sign, meter).digits != 0)
    factor_.digits = -factor_.digits;
  if (const auto names = point.key("enum"); !names.empty()) {
    for (const auto& name : split(names, '|')) {
      const auto colon = name.find(':');
      if (colon == std::string::npos) throw Refused("'" + name + "' is no NUMBER:NAME");
      names_.push_back(
          {whole_number(name.substr(0, colon), INT32_MIN, INT32_MAX, "enum"), json_string(name.substr(colon + 1))});
    }
  }
  for (const auto& na : split(point.key("na"), '|'))
    if (const auto raw = whole_of(point, na)) not_available_.push_back(*raw);
}

Field PointValue::at(double seconds) const {
  if (point_.type == "string") return encode_string(point_, "SIM" + std::to_string(100000 + meter_));
  if (point_.type == "time") return encode_time(point_, seconds);
  if (!role_ && !names_.empty()) {
    const auto& name =
        names_[(static_cast<std::size_t>(seconds / 60) + static_cast<std::size_t>(meter_)) % names_.size()];
    Field field = encode_whole(point_, name.raw);
    field.json = name.json;
    return field;
  }
  const double wanted = (target(seconds) / factor_.approximate() - offset_.approximate()) / scale_.approximate();
  const double stored = role_ ? static_cast<double>(*role_) : wanted;
  Field field;
  Exact exact;
  if (point_.type == "f32" || point_.type == "f64") {
    field = encode_float(point_, std::round(stored * 1000) / 1000, exact);
  } else {
    const Span span = span_of(point_);
    const auto nearest = static_cast<std::int64_t>(std::llround(std::clamp(stored, -9e18, 9e18)));
    std::int64_t raw = std::clamp(nearest, span.least, span.most);
    if (means_not_available(raw)) --raw;
    field = encode_whole(point_, raw);
    exact = {raw, 0};
  }
  field.json = ((exact * scale_ + offset_) * factor_).text();
  if (is_text_) field.json = json_string(field.json);
  return field;
}

double PointValue::target(double seconds) const {
  double target = plausible(point_.name, point_.key("unit"), meter_, seconds);
  if (wraps_) target = std::fmod(target, *wraps_);
  if (min_) target = std::fmax(target, *min_);
  if (max_) target = std::fmin(target, *max_);
  return factor_.digits < 0 ? -std::fabs(target) : target;
}

bool PointValue::means_not_available(std::int64_t raw) const {
  return std::find(not_available_.begin(), not_available_.end(), raw) != not_available_.end();
}

}  // namespace metersim
