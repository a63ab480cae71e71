#include <algorithm>

#include "drivers/profile/item_keys.h"
#include "drivers/profile/key_setters.h"
#include "drivers/profile/register_codec.h"

// The keys that say which bytes of a data item are the value.

namespace metergate {

namespace {

constexpr int kMostNumberBytes = 8, kMostStringBytes = 64, kLongestItem = 200;
constexpr std::size_t kDlt645Digits = 8;
constexpr int kDateBytes = 4, kTimeBytes = 3;  // WW DD MM YY, ss mm hh
constexpr std::array<Keyword<TimeForm>, 1> kForms{{{"dlt", TimeForm::kDlt}}};

constexpr int kShortestTime = 5, kLongestTime = 7;

}  // namespace

Result<Block> parse_item(std::string_view text, Family family) {
  const auto digits = static_cast<std::size_t>(2 * item_width(family));
  const bool good = text.size() == digits && text.find_first_not_of("0123456789ABCDEFabcdef") == std::string_view::npos;
  if (!good) {
    return wrong(text, "a data item is " + std::to_string(digits) +
                           " hex digits as the standard prints them, such as " +
                           (digits == kDlt645Digits ? "00010000" : "9010"));
  }
  return whole_item(static_cast<std::uint32_t>(std::stoul(std::string(text), nullptr, 16)), family);
}

Status set_bytes(const std::string& text, Point* point) {
  const int most = point->type == PointType::kString ? kMostStringBytes : kMostNumberBytes;
  const auto count = number_within(text, 1, most, "bytes");
  if (!count) return count.error();
  point->places.front().count = static_cast<std::uint16_t>(*count);
  return {};
}

Status set_at(const std::string& text, Point* point) {
  const auto first = number_within(text, 0, kLongestItem, "at, the first byte of the value");
  if (!first) return first.error();
  point->places.front().address = static_cast<std::uint16_t>(*first);
  return {};
}

Status set_item_form(const std::string& text, Point* point) {
  const auto form = one_of(kForms, text, "form of a data item");
  if (!form) return form.error();
  point->time_form = *form;
  return {};
}

Status set_item_parts(const std::string& text, Point* point) {
  const auto texts = split(text, '+');
  if (point->type != PointType::kTime || texts.size() != 2) {
    return wrong("parts=" + text, "of data items a time has parts, its date and its time: parts=04000101+04000102");
  }
  const Block own = point->places.front();
  if (own.address != 0 || own.count != 0) return wrong("parts=" + text, "a time in parts has neither bytes= nor at=");
  point->places.clear();
  for (const std::string& part : texts) {
    const auto item = parse_item(part, part.size() == kDlt645Digits ? Family::kDlt645 : Family::kDlt645Of1997);
    if (!item) return item.error();
    point->places.push_back(item_block(*item, 0, point->places.empty() ? kDateBytes : kTimeBytes));
  }
  if (point->places.front().is_beside(own)) return {};
  return wrong("parts=" + text, "the first part is the point's own item");
}

/// DI+OFFSET.
Status set_block(const std::string& text, Point* point) {
  const std::size_t plus = std::min(text.find('+'), text.size());
  const auto item = parse_item(text.substr(0, plus), plus == kDlt645Digits ? Family::kDlt645 : Family::kDlt645Of1997);
  if (!item) return item.error();
  const auto offset = number_within(plus == text.size() ? "" : text.substr(plus + 1), 0, kLongestItem,
                                    "what stands behind + in block=DI+OFFSET, the first byte of the value,");
  if (!offset) return offset.error();
  if (point->places.size() != 1 || item->is_beside(point->places.front())) {
    return wrong("block=" + text, "a block is another item than the point's own");
  }
  point->in_block = item_block(*item, *offset, point->places.front().count);
  return {};
}

Status check_item(const Point& point) {
  const int bytes = item_bytes(point);
  if (point.type == PointType::kTime && (bytes < kShortestTime || bytes > kLongestTime)) {
    return wrong("time", "form=dlt has bytes=5 (mm hh DD MM YY), 6 (ss in front), 7 (ss mm hh WW DD MM YY), or parts=");
  }
  if (point.type == PointType::kBits && point.bit_first + point.bit_width > 8 * bytes) {
    return wrong("bits=" + std::to_string(point.bit_first) + ":" + std::to_string(point.bit_width),
                 "reaches beyond the " + std::to_string(bytes) + " bytes of the value");
  }
  return {};
}

}  // namespace metergate
