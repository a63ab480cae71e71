#include "tests/sim/item_meter.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>

#include "tests/sim/text.h"

namespace metersim {

namespace {

constexpr std::uint8_t kAnswer = 0x80, kError = 0x40, kMore = 0x20;
constexpr std::uint8_t kNoSuchItem = 0x02;
constexpr std::uint32_t kAddressItem = 0x04000401, kEventItem = 0x04001501;
constexpr std::size_t kNumberWords = 4;

std::uint32_t hex_number(const std::string& text) {
  return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 16));
}

/// As whole number of 64 bits, which the registers of the helper point hold.
std::int64_t whole_of(const Field& field) {
  std::uint64_t pattern = 0;
  for (std::size_t i = 0; i < kNumberWords; ++i) pattern = pattern << 16 | field.registers[i].value;
  return static_cast<std::int64_t>(pattern);
}

/// Its value is made by the rules for registers, as a whole number.
FilePoint as_number(FilePoint point) {
  point.type = "i64";
  point.registers = kNumberWords;
  point.addresses = {0};
  point.order = "ABCD";
  point.keys.erase("enum");
  return point;
}

}  // namespace

ItemMeter::ItemMeter(ItemMeterSettings settings, const ProfileFile& profile)
    : settings_(std::move(settings)), of_1997_(profile.key("protocol") == "dlt645-1997") {
  for (const auto& point : profile.points) add(profile, point);
}

void ItemMeter::add(const ProfileFile& profile, const FilePoint& point) {
  if (point.item.empty()) throw Refused(point.name + " is no data item");
  Place place{PointValue(profile, as_number(point), settings_.number % 100),
              point.type,
              point.key("form"),
              {},
              point.number("at", 0),
              point.number("bytes", point.type == "bits" ? 2 : 0),
              0,
              {}};
  for (const auto& part : split(point.key("parts", point.item), '+')) place.items.push_back(hex_number(part));
  if (point.type == "bits") place.first_bit = point.first_bit;
  if (const auto block = split(point.key("block"), '+'); block.size() == 2)
    place.block = {hex_number(block[0]), static_cast<int>(whole_number(block[1], 0, 255, "block"))};
  places_.push_back(std::move(place));
}

bool ItemMeter::is_called(const std::string& address) const {
  bool wild = true;
  for (std::size_t i = 0; i < address.size(); i += 2) {
    wild = wild && address.compare(i, 2, "AA") == 0;
    if (!wild && address.compare(i, 2, settings_.address, i, 2) != 0) return false;
  }
  return true;
}

/// `date`: WW DD MM YY; `time`: ss mm hh; `minute`: mm hh DD MM YY; `both`: ss mm hh WW DD MM YY.
Bytes ItemMeter::clock_bytes(const std::string& what, double seconds) const {
  const auto now = static_cast<std::time_t>(seconds + settings_.skew);
  std::tm at{};
  gmtime_r(&now, &at);
  Bytes bytes;
  const auto put = [&bytes](int number) { bytes.push_back(bcd_bytes(number, 1)[0]); };
  if (what == "time" || what == "both") put(at.tm_sec);
  if (what != "date") put(at.tm_min);
  if (what != "date") put(at.tm_hour);
  if (what == "date" || what == "both") put(at.tm_wday);
  if (what == "time") return bytes;
  put(at.tm_mday);
  put(at.tm_mon + 1);
  put(at.tm_year % 100);
  return bytes;
}

Bytes ItemMeter::bytes_of(const Place& place, std::uint32_t item, double seconds, std::string& json) const {
  const std::string& name = place.value.point().name;
  json.clear();
  if (place.type == "time") {
    if (place.items.size() == 2) return clock_bytes(item == place.items[0] ? "date" : "time", seconds);
    return clock_bytes(place.bytes == 7 ? "both" : "minute", seconds);
  }
  if (place.type == "bits") {
    const unsigned raw = name == "relay" && relay_open_ ? 1 : 0;
    json = std::to_string(raw);
    Bytes bytes(static_cast<std::size_t>(place.bytes));
    bytes[place.first_bit / 8] = static_cast<std::uint8_t>(raw << place.first_bit % 8);
    return bytes;
  }
  if (name == "serial_number") {
    json = json_string(settings_.address);
    return bcd_bytes(std::strtoll(settings_.address.c_str(), nullptr, 10), place.bytes);
  }
  if (place.type == "string") {
    const std::string text = "SIM" + std::to_string(settings_.number);
    json = json_string(text);
    Bytes bytes(text.rbegin(), text.rend());
    bytes.insert(bytes.begin(), static_cast<std::size_t>(place.bytes) - text.size(), 0);
    return bytes;
  }
  const Field field = place.value.at(seconds);
  const std::int64_t raw = whole_of(field);
  json = field.json;
  Bytes bytes = bcd_bytes(std::llabs(raw), place.bytes);
  if (raw < 0) bytes.back() |= 0x80;
  return bytes;
}

/// The bytes of an item or of a block of several; nothing: it has none.
std::optional<Bytes> ItemMeter::item(std::uint32_t item, double seconds, Served& served) const {
  Bytes bytes;
  bool known = false;
  const auto put = [&](const Place& place, std::uint32_t of, int at) {
    std::string json;
    const Bytes part = bytes_of(place, of, seconds, json);
    const std::size_t end = static_cast<std::size_t>(at) + part.size();
    if (bytes.size() < end) bytes.resize(end);
    for (std::size_t i = 0; i < part.size(); ++i)
      bytes[static_cast<std::size_t>(at) + i] =
          static_cast<std::uint8_t>(bytes[static_cast<std::size_t>(at) + i] | part[i]);
    if (!json.empty()) served.values.emplace_back(place.value.point().name, json);
    known = true;
  };
  for (const auto& place : places_) {
    for (const auto own : place.items)
      if (own == item) put(place, own, place.at);
    if (settings_.blocks && place.block && place.block->first == item) put(place, place.items[0], place.block->second);
  }
  if (!known && !of_1997_ && item == kAddressItem)
    return bcd_bytes(std::strtoll(settings_.address.c_str(), nullptr, 10), 6);
  return known ? std::optional(bytes) : std::nullopt;
}

ItemFrame ItemMeter::refusal(const ItemFrame& request, std::uint8_t bits) const {
  return {settings_.address, static_cast<std::uint8_t>(request.control | kAnswer | kError), {bits}};
}

ItemFrame ItemMeter::read(const ItemFrame& request, double seconds, Served& served) {
  const std::size_t width = of_1997_ ? 2 : 4;
  if (request.data.size() < width) return refusal(request, 1);
  std::uint32_t id = 0;
  for (std::size_t i = width; i > 0; --i) id = id << 8 | request.data[i - 1];
  served.address = static_cast<int>(id);
  if (const auto refused = refused_.find(id); refused != refused_.end() && refused->second != 0)
    return refusal(request, refused->second);
  const auto value = item(id, seconds, served);
  if (!value) return refusal(request, kNoSuchItem);
  ItemFrame frame{settings_.address, static_cast<std::uint8_t>(request.control | kAnswer), {}};
  frame.data.assign(request.data.begin(), request.data.begin() + static_cast<std::ptrdiff_t>(width));
  rest_item_ = frame.data;
  const std::size_t most = settings_.part_bytes > 0 ? static_cast<std::size_t>(settings_.part_bytes) : value->size();
  const std::size_t first = std::min(most, value->size());
  frame.data.insert(frame.data.end(), value->begin(), value->begin() + static_cast<std::ptrdiff_t>(first));
  rest_.assign(value->begin() + static_cast<std::ptrdiff_t>(first), value->end());
  if (!rest_.empty() || settings_.bit5) frame.control |= kMore;
  return frame;
}

ItemFrame ItemMeter::read_next(const ItemFrame& request) {
  ItemFrame frame{settings_.address, static_cast<std::uint8_t>(request.control | kAnswer), rest_item_};
  const std::uint8_t part = request.data.empty() ? 0 : request.data.back();
  if (rest_.empty()) {
    if (!settings_.bit5) return refusal(request, kNoSuchItem);
    frame.data.clear();
    for (int i = 0; i < 4; ++i) frame.data.push_back(static_cast<std::uint8_t>(kEventItem >> (8 * i)));
    frame.data.resize(16);
  } else {
    const auto size = std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(rest_.size()), settings_.part_bytes);
    frame.data.insert(frame.data.end(), rest_.begin(), rest_.begin() + size);
    rest_.erase(rest_.begin(), rest_.begin() + size);
    if (!rest_.empty()) frame.control |= kMore;
  }
  if (!of_1997_) frame.data.push_back(part);
  return frame;
}

namespace {

int number_of(std::uint8_t bcd) { return bcd / 16 * 10 + bcd % 16; }

/// Of ss mm hh DD MM YY; seconds since 1970 if that were UTC.
double time_of(const Bytes& data, std::size_t at) {
  std::tm time{};
  time.tm_sec = number_of(data[at]);
  time.tm_min = number_of(data[at + 1]);
  time.tm_hour = number_of(data[at + 2]);
  time.tm_mday = number_of(data[at + 3]);
  time.tm_mon = number_of(data[at + 4]) - 1;
  time.tm_year = number_of(data[at + 5]) + 100;
  return static_cast<double>(timegm(&time));
}

}  // namespace

/// PA P0 P1 P2, operator, N1 N2, end of validity.
ItemFrame ItemMeter::control(const ItemFrame& request, double seconds, Served& served) {
  constexpr std::size_t kSize = 16, kOrder = 8, kEnd = 10;
  if (request.data.size() != kSize) return refusal(request, 1);
  const Bytes wanted = bcd_bytes(std::strtoll(settings_.password.c_str(), nullptr, 10), 3);
  const bool right = std::equal(wanted.begin(), wanted.end(), request.data.begin() + 1);
  if (!right) ++wrong_;
  if (!right || wrong_ >= settings_.wrong_passwords) return refusal(request, 4);
  wrong_ = 0;
  if (time_of(request.data, kEnd) < seconds + settings_.skew) return refusal(request, 1);
  const int order = request.data[kOrder];
  if (order < 0x1A || order > 0x1C) return refusal(request, 1);
  served.values.emplace_back("order", std::to_string(order));
  if (!settings_.relay_stuck && order != 0x1B) relay_open_ = order == 0x1A;
  return {settings_.address, 0x9C, {}};
}

ItemFrame ItemMeter::set_clock(const ItemFrame& request, double seconds, Served& served) {
  if (request.data.size() != 6) return refusal(request, 1);
  const double wanted = time_of(request.data, 0);
  if (std::abs(wanted - seconds - settings_.skew) >= 300) return refusal(request, 1);
  served.values.emplace_back("clock", std::to_string(static_cast<std::int64_t>(wanted)));
  settings_.skew = wanted - seconds;
  return {settings_.address, 0x88, {}};
}

std::optional<Bytes> ItemMeter::answer(const ItemFrame& request, double seconds, Served& served) {
  served.function = request.control;
  ItemFrame frame;
  if (request.control == (of_1997_ ? 0x01 : 0x11)) {
    frame = read(request, seconds, served);
  } else if (request.control == (of_1997_ ? 0x02 : 0x12)) {
    frame = read_next(request);
  } else if (request.control == 0x13 && !of_1997_) {
    frame = {settings_.address, 0x93, bcd_bytes(std::strtoll(settings_.address.c_str(), nullptr, 10), 6)};
  } else if (request.control == 0x1C && !of_1997_) {
    frame = control(request, seconds, served);
  } else if (request.control == 0x08 && !of_1997_) {
    frame = set_clock(request, seconds, served);
  } else {
    return std::nullopt;  // a code that it does not know
  }
  return item_frame_bytes(frame, settings_.preamble);
}

}  // namespace metersim
