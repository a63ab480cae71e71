#include "drivers/profile/decode.h"

#include <algorithm>

#include "agent/base/text.h"
#include "drivers/profile/plan.h"
#include "drivers/profile/point_text.h"
#include "drivers/profile/profile_tokens.h"
#include "drivers/profile/register_codec.h"

namespace metergate {

namespace {

constexpr int kLargestPower = 99;

Result<Words> words_of(const Point& point, const RegisterImage& image) {
  Words words;
  for (const Block& place : point.places) {
    if (!image.get(place, &words)) return Error{Errc::kNotFound, "the bytes of " + point.name + " were not read"};
  }
  if (point.table == Table::kItem) return words;
  words.reserve(point.addresses.size() * static_cast<std::size_t>(part_words(point)));
  for (const std::uint16_t address : point.addresses) {
    const Block block{point.table, address, static_cast<std::uint16_t>(point.registers), point.register_bytes};
    if (!image.get(block, &words)) {
      return Error{Errc::kNotFound, "the registers of " + point.name + " were not read"};
    }
  }
  return words;
}

/// An item without `na` whose bytes are all FF, or a time whose are all 0, which the meter has not noted yet.
bool is_void(const Point& point, const Words& words) {
  if (point.table != Table::kItem || !point.not_available.empty()) return false;
  const auto all = [&words](std::uint16_t byte) {
    return std::all_of(words.begin(), words.end(), [byte](std::uint16_t word) { return word == byte; });
  };
  return all(0xFF) || (point.type == PointType::kTime && all(0));
}

bool not_available(const Point& point, std::uint64_t pattern) {
  return std::count(point.not_available.begin(), point.not_available.end(), pattern) != 0;
}

Error overflow() { return Error{Errc::kInvalid, "overflow"}; }

/// Nothing: the meter marks it, or what scales it, as not available.
using Number = std::optional<Decimal>;

Result<Number> number_of_point(const Profile& profile, const Point& point, const RegisterImage& image,
                               const Ratios& ratios);

/// The value of a point that scales another; without a name it is `neutral`.
Result<Number> reference(const Profile& profile, const std::string& name, const Decimal& neutral,
                         const RegisterImage& image, const Ratios& ratios) {
  if (name.empty()) return Number(neutral);
  const Point* point = profile.find(name);
  if (point == nullptr) return Error{Errc::kNotFound, "no point " + name};
  return number_of_point(profile, *point, image, ratios);
}

Result<Number> scaled_by_points(const Profile& profile, const Point& point, const Decimal& value,
                                const RegisterImage& image, const Ratios& ratios) {
  if (point.exponent_point.empty() && point.times_point.empty() && point.sign_point.empty()) return Number(value);
  auto exponent = reference(profile, point.exponent_point, Decimal(point.exponent_minus), image, ratios);
  if (!exponent) return exponent;
  auto times = reference(profile, point.times_point, Decimal(1), image, ratios);
  if (!times) return times;
  auto sign = reference(profile, point.sign_point, Decimal(), image, ratios);
  if (!sign) return sign;
  if (!*exponent || !*times || !*sign) return Number();

  const auto power = (*exponent)->plus(Decimal(-point.exponent_minus));
  const auto whole = power ? power->whole() : std::nullopt;
  if (!whole || *whole < -kLargestPower || *whole > kLargestPower) return overflow();
  auto result = value.shifted(static_cast<int>(*whole));
  if (result) result = result->times(**times);
  if (!result) return overflow();
  return Number(**sign == Decimal() ? *result : result->negated());
}

Result<Number> number_of_point(const Profile& profile, const Point& point, const RegisterImage& image,
                               const Ratios& ratios) {
  const auto words = words_of(point, image);
  if (!words) return words.error();
  if (is_void(point, *words)) return Number();
  const std::uint64_t pattern = pattern_of(point, *words);
  if (not_available(point, pattern)) return Number();
  auto raw = number_of(point, pattern);
  if (!raw || !*raw) return raw;

  auto value = (*raw)->times(point.scale);
  if (value) value = value->plus(point.offset);
  if (!value) return overflow();
  auto scaled = scaled_by_points(profile, point, *value, image, ratios);
  if (!scaled || !*scaled || point.ratio == Ratio::kNone) return scaled;
  const auto ratio = ratio_of(point, ratios);
  if (!ratio) return Error{Errc::kInvalid, "no_ratio"};
  const auto result = (*scaled)->times(*ratio);
  if (!result) return overflow();
  return Number(*result);
}

Result<Decoded> decode_text(const Point& point, const RegisterImage& image) {
  const auto words = words_of(point, image);
  if (!words) return words.error();
  if (is_void(point, *words)) return Decoded{};
  if (point.type == PointType::kString)
    return Decoded{{Value::Form::kText, printable_text(bytes_of(point, *words)), {}}, {}};
  if (pattern_bits(point) <= 64 && not_available(point, pattern_of(point, *words))) return Decoded{};
  auto time = time_text(point.time_form, bytes_of(point, *words));
  if (!time) return Error{Errc::kInvalid, "bad_time"};
  return Decoded{{Value::Form::kText, std::move(*time), {}}, {}};
}

std::string name_of(const Point& point, const Decimal& number) {
  const auto whole = number.whole();
  const bool fits = whole && *whole >= INT64_MIN && *whole <= INT64_MAX;
  const auto name = fits ? point.names.find(static_cast<std::int64_t>(*whole)) : point.names.end();
  return name == point.names.end() ? number.text() : name->second;
}

/// A number as a text; of data items with all its digits, as it stands on the meter.
std::string digits_of(const Point& point, const Decimal& number) {
  std::string text = number.text();
  const std::size_t digits = point.table == Table::kItem ? 2 * static_cast<std::size_t>(item_bytes(point)) : 0;
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

}  // namespace

std::optional<Decimal> ratio_of(const Point& point, const Ratios& ratios) {
  switch (point.ratio) {
    case Ratio::kCt:
      return ratios.ct;
    case Ratio::kPt:
      return ratios.pt;
    case Ratio::kCtPt:
      return ratios.ct && ratios.pt ? ratios.ct->times(*ratios.pt) : std::nullopt;
    case Ratio::kNone:
      break;
  }
  return Decimal(1);
}

Result<Decimal> parse_ratio(std::string_view text) {
  const auto parts = split(text, '/');
  const auto primary = Decimal::parse(parts.front());
  const auto secondary = Decimal::parse(parts.back());
  const Decimal zero;
  if (parts.size() != 2 || !primary || !secondary || !(zero < *primary) || !(zero < *secondary)) {
    return wrong(text, "a ratio is two numbers above 0, primary/secondary, such as 200/5 or 40/1");
  }
  const auto ratio = primary->divided_by(*secondary);
  if (!ratio)
    return wrong(text, "this quotient has no finite decimal form; write the decimal to be used, such as 66.6667/1");
  return *ratio;
}

RegisterImage::Registers::const_iterator RegisterImage::find(const Block& block) const {
  return std::lower_bound(registers_.begin(), registers_.end(), Register{place(block, 0), {}});
}

void RegisterImage::put(const Block& block, const Words& words) {
  const bool item = block.table == Table::kItem;
  const std::size_t each = item ? 1 : words_in(block) / std::max<std::size_t>(block.count, 1);
  if (each == 0) return;
  Registers read((item ? words.size() : std::min(words.size(), words_in(block))) / each);
  for (std::size_t i = 0; i < read.size(); ++i) {
    read[i].place = place(block, static_cast<int>(i));
    for (std::size_t word = 0; word < each; ++word) read[i].words.at(word) = words[i * each + word];
  }
  Block whole = block;
  whole.count = static_cast<std::uint16_t>(read.size());
  forget(whole);
  registers_.insert(find(block), read.begin(), read.end());
}

void RegisterImage::forget(const Block& block) {
  const auto first = find(block);
  auto end = first;
  while (end != registers_.end() && in(block, *end)) ++end;
  registers_.erase(first, end);
}

bool RegisterImage::has(const Block& block) const {
  int held = 0;
  for (auto at = find(block); at != registers_.end() && in(block, *at); ++at) ++held;
  return held == block.count;
}

bool RegisterImage::get(const Block& block, Words* words) const {
  if (!has(block)) return false;
  const std::size_t each = words_in(block) / std::max<std::size_t>(block.count, 1);
  auto at = find(block);
  for (int i = 0; i < block.count; ++i, ++at) {
    words->insert(words->end(), at->words.begin(), at->words.begin() + static_cast<std::ptrdiff_t>(each));
  }
  return true;
}

Result<Decoded> decode(const Profile& profile, const Point& point, const RegisterImage& image, const Ratios& ratios) {
  if (point.type == PointType::kString || point.type == PointType::kTime) return decode_text(point, image);
  const auto number = number_of_point(profile, point, image, ratios);
  if (!number) return number.error();
  Decoded decoded;
  if (!*number) return decoded;
  const Decimal& value = **number;
  if (!point.names.empty()) {
    decoded.value = {Value::Form::kText, name_of(point, value), {}};
  } else if (point.kind == PointKind::kText) {
    decoded.value = {Value::Form::kText, digits_of(point, value), {}};
  } else {
    decoded.value = {Value::Form::kNumber, value.text(), value};
  }
  const bool implausible = (point.min && value < *point.min) || (point.max && *point.max < value);
  if (implausible) decoded.flags.emplace_back("implausible");
  return decoded;
}

}  // namespace metergate
