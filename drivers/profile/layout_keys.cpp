#include <algorithm>

#include "drivers/profile/item_keys.h"
#include "drivers/profile/key_setters.h"
#include "drivers/profile/profile_line.h"
#include "drivers/profile/register_codec.h"

// The keys that say which bits are the value.

namespace metergate {

namespace {

constexpr std::array<Keyword<TimeForm>, 3> kForms{
    {{"unix", TimeForm::kUnix}, {"ymdhms", TimeForm::kYmdhms}, {"bcd", TimeForm::kBcd}}};
constexpr std::array<Keyword<bool>, 2> kHalves{{{"high", true}, {"low", false}}};

}  // namespace

Status set_register_bytes(const std::string& text, Point* point) {
  if (text != "2" && text != "4") return wrong(text, "register_bytes is 2 or 4, what a register takes in an answer");
  if (text == "2") return {};
  point->register_bytes = 4;
  point->registers /= 2;
  return {};
}

Status set_form(const std::string& text, Point* point) {
  if (point->table == Table::kItem) return set_item_form(text, point);
  const auto form = one_of(kForms, text, "form");
  if (!form) return form.error();
  point->time_form = *form;
  point->registers = *form == TimeForm::kUnix ? 2 : *form == TimeForm::kBcd ? 3 : 6;
  return {};
}

Status set_registers(const std::string& text, Point* point) {
  if (point->type == PointType::kTime) {
    if (point->time_form != TimeForm::kYmdhms || (text != "3" && text != "6")) {
      return wrong("registers=" + text, "only time form=ymdhms takes registers, 6 (a word each) or 3 (a byte each)");
    }
    point->registers = text == "3" ? 3 : 6;
    return {};
  }
  const int least = point->type == PointType::kM10k ? 2 : 1;
  const int most = point->type == PointType::kString ? kMostRegisters : 4;
  const auto count = number_within(text, least, most, "registers of " + type_name(point->type));
  if (!count) return count.error();
  point->registers = *count;
  return {};
}

Status set_bits(const std::string& text, Point* point) {
  const auto parts = split(text, ':');
  if (parts.size() != 2) return wrong(text, "bits is FIRST:WIDTH, bit 0 the lowest");
  const auto first = number_within(parts[0], 0, 15, "the first bit");
  if (!first) return first.error();
  const auto width = number_within(parts[1], 1, 16 - *first, "the number of bits from " + parts[0]);
  if (!width) return width.error();
  point->bit_width = *width;
  if (!is_bits(point->table)) {
    point->bit_first = *first;
    return {};
  }
  if (point->addresses.front() + *first >= kAddresses) return wrong(text, "reaches beyond the last address, 65535");
  point->addresses.front() = static_cast<std::uint16_t>(point->addresses.front() + *first);
  point->registers = *width;
  return {};
}

Status set_chars(const std::string& text, Point* point) {
  if (text != "1" && text != "2") return wrong(text, "chars is 2 or 1, the characters in a register");
  point->chars = text == "1" ? 1 : 2;
  return {};
}

Status set_byte(const std::string& text, Point* point) {
  if (point->type == PointType::kString && point->chars == 2) return wrong("byte=" + text, "needs chars=1");
  const auto high = one_of(kHalves, text, "byte");
  if (!high) return high.error();
  point->high_byte = *high;
  return {};
}

Status set_order(const std::string& text, Point* point) {
  if (const auto order = parse_order(text)) {
    point->order = *order;
    return {};
  }
  if (point->type == PointType::kBits || point->type == PointType::kString) return parse_order(text).error();
  point->byte_order = text;  // parts= tells the width only then: check_order looks at it
  return {};
}

Status set_parts(const std::string& text, Point* point) {
  if (point->table == Table::kItem) return set_item_parts(text, point);
  const auto texts = split(text, '+');
  const int count = static_cast<int>(texts.size());
  if (count < 2 || point->registers % count != 0) {
    return wrong(text, "parts is A+B, the addresses of equal parts of " + std::to_string(point->registers) +
                           " registers, high first");
  }
  std::vector<std::uint16_t> addresses;
  for (const std::string& part : texts) {
    const auto address = number_within(part, 0, kAddresses - 1, "the address of a part");
    if (!address) return address.error();
    addresses.push_back(static_cast<std::uint16_t>(*address));
  }
  if (std::count(addresses.begin(), addresses.end(), point->addresses.front()) == 0) {
    return wrong(text, "one part is at the point's own address, " + std::to_string(point->addresses.front()));
  }
  point->registers /= count;
  auto sorted = addresses;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i] - sorted[i - 1] < point->registers) return wrong(text, "the parts overlap");
  }
  point->addresses = addresses;
  return {};
}

Status check_order(const Point& point) {
  if (point.byte_order.empty()) return {};
  std::string letters = point.byte_order, wanted;
  for (int i = 0; i < part_words(point) * 2; ++i) wanted += static_cast<char>('A' + i);
  std::sort(letters.begin(), letters.end());
  if (letters == wanted) return {};
  return wrong(point.byte_order, "order is ABCD, CDAB, BADC or DCBA, or the bytes of a part as they come: " + wanted +
                                     ", A the highest, in their order");
}

Status set_na(const std::string& text, Point* point) {
  if (pattern_bits(*point) > 64) return wrong("na=" + text, "na takes values of at most four registers");
  for (const std::string& value : split(text, '|')) {
    std::optional<std::uint64_t> pattern;
    if (is_hexadecimal(value)) {
      const auto bits = whole_number(value);
      const bool fits = bits && *bits >= 0 && *bits < (Decimal::Mantissa{1} << pattern_bits(*point));
      if (fits) pattern = static_cast<std::uint64_t>(*bits);
    } else if (const auto number = Decimal::parse(value)) {
      pattern = pattern_for(*point, *number);
    }
    if (!pattern)
      return wrong(value, "no value of this " + type_name(point->type) + ", and no 0x pattern of its width");
    point->not_available.push_back(*pattern);
  }
  return {};
}

}  // namespace metergate
