#include <algorithm>
#include <set>

#include "drivers/profile/key_setters.h"
#include "drivers/profile/profile_line.h"
#include "drivers/profile/register_codec.h"

// The keys that say what the value means.

namespace metergate {

namespace {

constexpr std::size_t kLongestText = 64;

/// The file's lines are UTF-8 without control characters but tabs.
Status check_text(const std::string& text, const std::string& what) {
  if (text.empty() || text.size() > kLongestText || text.find('\t') != std::string::npos) {
    return wrong(text, what + " is a text of 1 to " + std::to_string(kLongestText) + " bytes, without tabs");
  }
  return {};
}

Result<Decimal> decimal(const std::string& text, const std::string& what) {
  const auto number = Decimal::parse(text);
  if (!number) return wrong(text, what + " is a decimal number such as 0.01");
  return *number;
}

constexpr std::array<Keyword<Ratio>, 3> kRatios{{{"ct", Ratio::kCt}, {"pt", Ratio::kPt}, {"ct*pt", Ratio::kCtPt}}};
constexpr std::array<Keyword<PointKind>, 4> kKinds{{{"gauge", PointKind::kGauge},
                                                    {"counter", PointKind::kCounter},
                                                    {"state", PointKind::kState},
                                                    {"text", PointKind::kText}}};
constexpr std::array<Keyword<int>, 2> kSources{{{"once", 1}, {"twice", 2}}};

}  // namespace

Status set_scale(const std::string& text, Point* point) {
  const auto scale = decimal(text, "scale");
  if (!scale) return scale.error();
  if (*scale == Decimal()) return wrong(text, "scale is not 0");
  point->scale = *scale;
  return {};
}

Status set_offset(const std::string& text, Point* point) {
  const auto offset = decimal(text, "offset");
  if (!offset) return offset.error();
  point->offset = *offset;
  return {};
}

/// POINT, POINT-4 or POINT+4.
Status set_exponent(const std::string& text, Point* point) {
  const std::size_t end = std::min(text.find_first_of("+-"), text.size());
  point->exponent_point = text.substr(0, end);
  const bool plain = end == text.size();
  const auto shift = number_within(plain ? "0" : text.substr(end + 1), 0, 99, "what is taken from the exponent");
  if (!is_point_name(point->exponent_point) || !shift) {
    return wrong(text, "exponent is POINT, or POINT-4 where the number stands 4 too high (at most 99)");
  }
  point->exponent_minus = !plain && text[end] == '+' ? -*shift : *shift;
  return {};
}

Status set_times(const std::string& text, Point* point) {
  point->times_point = text;
  return is_point_name(text) ? Status() : wrong(text, "times is the name of a point");
}

Status set_sign(const std::string& text, Point* point) {
  point->sign_point = text;
  return is_point_name(text) ? Status() : wrong(text, "sign is the name of a point");
}

Status set_ratio(const std::string& text, Point* point) {
  const auto ratio = one_of(kRatios, text, "ratio");
  if (!ratio) return ratio.error();
  point->ratio = *ratio;
  return {};
}

Status set_enum(const std::string& text, Point* point) {
  std::set<std::string> names;
  for (const std::string& entry : split(text, '|')) {
    const std::size_t colon = entry.find(':');
    const auto number = whole_number(entry.substr(0, colon));
    if (colon == std::string::npos || !number) return wrong(entry, "enum is NUMBER:text|NUMBER:text");
    if (!pattern_for(*point, Decimal(*number)) || *number > INT64_MAX) {
      return wrong(entry, "no value of this " + type_name(point->type));
    }
    const std::string name = entry.substr(colon + 1);
    if (Status checked = check_text(name, "the name of a value"); !checked) return checked;
    if (!names.insert(name).second || !point->names.emplace(static_cast<std::int64_t>(*number), name).second) {
      return wrong(entry, "was given before");
    }
  }
  return {};
}

Status set_min(const std::string& text, Point* point) {
  const auto min = decimal(text, "min");
  if (!min) return min.error();
  point->min = *min;
  return {};
}

Status set_max(const std::string& text, Point* point) {
  const auto max = decimal(text, "max");
  if (!max) return max.error();
  if (point->min && *max < *point->min) return wrong(text, "max is not below min");
  point->max = *max;
  return {};
}

Status set_wraps(const std::string& text, Point* point) {
  const auto wraps = decimal(text, "wraps");
  if (!wraps) return wraps.error();
  if (!(Decimal() < *wraps)) return wrong(text, "wraps is above 0, the value at which the counter starts again");
  point->wraps = *wraps;
  return {};
}

Status set_max_rise(const std::string& text, Point* point) {
  const auto rise = decimal(text, "max_rise");
  if (!rise) return rise.error();
  if (!(Decimal() < *rise)) return wrong(text, "max_rise is above 0, the most that the counter can grow in an hour");
  point->max_rise = *rise;
  return {};
}

Status set_unit(const std::string& text, Point* point) {
  point->unit = text;
  return text.empty() ? Status() : check_text(text, "unit");
}

Status set_obis(const std::string& text, Point* point) {
  std::size_t i = 0;
  for (const char end : {'-', ':', '.', '.', '\0'}) {
    const std::size_t first = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    const bool group = i > first && i - first <= 3 && std::stoi(text.substr(first, i - first)) <= 255;
    if (!group || (i < text.size() ? text[i] : '\0') != end) {
      return wrong(text, "an OBIS code is A-B:C.D.E, such as 1-0:1.8.0");
    }
    ++i;
  }
  point->obis = text;
  return {};
}

Status set_kind(const std::string& text, Point* point) {
  const auto kind = one_of(kKinds, text, "kind");
  if (!kind) return kind.error();
  point->kind = *kind;
  return {};
}
Status set_source(const std::string& text, Point* point) {
  const auto sources = one_of(kSources, text, "source");
  if (!sources) return sources.error();
  point->sources = *sources;
  return {};
}

}  // namespace metergate
