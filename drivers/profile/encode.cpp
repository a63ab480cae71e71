#include <algorithm>

#include "agent/base/rfc3339.h"
#include "drivers/profile/encode.h"
#include "drivers/profile/key_setters.h"
#include "drivers/profile/profile_tokens.h"
#include "drivers/profile/register_codec.h"

namespace metergate {

namespace {

bool fills_its_registers(const Point& point) {
  return point.type != PointType::kBits && point.type != PointType::kU8 && point.type != PointType::kI8;
}

std::string list_of(const std::vector<Decimal>& numbers) {
  std::string list;
  for (const Decimal& number : numbers) list += (list.empty() ? "" : ", ") + number.text();
  return list;
}

std::string names_of(const Point& point) {
  std::string list;
  for (const auto& [number, name] : point.names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

/// The number that JSON gave, or that of an enum's name.
Result<Decimal> meant(const Point& point, const Value& value) {
  if (value.form == Value::Form::kNumber && value.number) {
    const auto whole = value.number->whole();
    const bool named = whole && std::any_of(point.names.begin(), point.names.end(),
                                            [&](const auto& name) { return name.first == *whole; });
    if (point.names.empty() || named) return *value.number;
  }
  if (value.form == Value::Form::kText) {
    for (const auto& [number, name] : point.names) {
      if (name == value.text) return Decimal(number);
    }
  }
  if (!point.names.empty()) return wrong(value.text, "one of " + names_of(point));
  return wrong(value.form == Value::Form::kNull ? "null" : value.text, "a number is needed");
}

Status check_limits(const Point& point, const Decimal& number, const std::string& given) {
  const std::vector<Decimal>& allow = point.write->allow;
  if (!allow.empty() && std::count(allow.begin(), allow.end(), number) == 0) {
    return wrong(given, "one of " + list_of(allow));
  }
  if (point.min && number < *point.min) return wrong(given, "at least " + point.min->text());
  if (point.max && *point.max < number) return wrong(given, "at most " + point.max->text());
  return {};
}

/// The inverse of decoding; exact or refused.
Result<std::uint64_t> pattern_of_value(const Point& point, const Decimal& number, const Ratios& ratios,
                                       const std::string& given) {
  const auto ratio = ratio_of(point, ratios);
  if (!ratio) return wrong(given, "the meter's ct or pt is needed to convert it, see --meter");
  auto raw = number.divided_by(*ratio);
  if (raw) raw = raw->plus(point.offset.negated());
  if (raw) raw = raw->divided_by(point.scale);
  const auto pattern = raw ? pattern_for(point, *raw) : std::nullopt;
  if (!pattern) {
    return wrong(given, "a multiple of " + point.scale.text() + " that the meter's register can hold exactly");
  }
  if (std::count(point.not_available.begin(), point.not_available.end(), *pattern) != 0) {
    return wrong(given, "the register holds this where no value is available");
  }
  return *pattern;
}

Result<Words> words_to_write(const Point& point, std::uint64_t pattern, const std::string& given) {
  switch (point.write->form) {
    case Write::Form::kCoil:
      if (pattern > 1) return wrong(given, "a coil holds 0 or 1");
      return Words{static_cast<std::uint16_t>(pattern)};
    case Write::Form::kCoils: {
      Words bits;
      for (int i = 0; i < point.bit_width; ++i) bits.push_back(static_cast<std::uint16_t>(pattern >> i & 1));
      return bits;
    }
    default:
      if (fills_its_registers(point)) return words_for(point, pattern);
      return Words{static_cast<std::uint16_t>(pattern)};
  }
}

Result<Write> relay_write(const Point& point, const Value& value) {
  Write write;
  write.form = Write::Form::kRelay;
  std::string list;
  for (const RelayOrder order : point.write->orders) {
    if (value.form == Value::Form::kText && value.text == order_name(order)) write.values = {order};
    list += (list.empty() ? "" : ", ") + order_name(order);
  }
  if (write.values.empty()) return wrong(value.text, "one of " + list);
  return write;
}

Result<Write> clock_write(const Value& value) {
  Write write;
  write.form = Write::Form::kClock;
  if (value.form == Value::Form::kText && value.text == "now") return write;
  write.time = value.form == Value::Form::kText ? parse_rfc3339(value.text) : std::nullopt;
  if (!write.time) return wrong(value.text, "\"now\" or an RFC 3339 time");
  return write;
}

}  // namespace

std::optional<Value> shown_after(const Write& write) {
  if (write.form != Write::Form::kRelay || write.values.front() == kPermit) return std::nullopt;
  const Decimal raw(write.values.front() == kTrip ? 1 : 0);
  return Value{Value::Form::kNumber, raw.text(), raw};
}

Result<Write> encode(const Profile& /*profile*/, const Point& point, const Value& value, const Ratios& ratios) {
  if (!point.write) return wrong(point.name, "this point cannot be written");
  if (point.write->form == Write::Form::kRelay) return relay_write(point, value);
  if (point.write->form == Write::Form::kClock) return clock_write(value);
  const auto number = meant(point, value);
  if (!number) return number.error();
  if (Status limits = check_limits(point, *number, value.text); !limits) return limits.error();
  const auto pattern = pattern_of_value(point, *number, ratios, value.text);
  if (!pattern) return pattern.error();
  const auto words = words_to_write(point, *pattern, value.text);
  if (!words) return words.error();
  return Write{point.write->form, point.write->address, *words};
}

}  // namespace metergate
