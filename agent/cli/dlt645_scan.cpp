#include "agent/cli/dlt645_scan.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/cli/scan_plan.h"
#include "agent/config/bus_description.h"
#include "drivers/bus_error.h"
#include "drivers/line/wire_time.h"
#include "drivers/profile/decode.h"
#include "drivers/profile/plan.h"

namespace metergate {

namespace {

constexpr std::uint32_t kAddressItem = 0x04000401, kVoltages = 0x0201FF00, kNumberOf1997 = 0xC032,
                        kEnergyOf1997 = 0x9010;
constexpr int kAddressBytes = 6, kVoltageBytes = 6, kEnergyBytes = 4, kVoltageEach = 2;
constexpr Millis kPatience{600};  // a meter may take 500 ms
constexpr int kSure = 2;          // times that the only meter is asked again
constexpr std::size_t kDigits = 12;
constexpr int kTwoDigits = 100;

std::string any_with(const std::string& low) { return std::string(kDigits - low.size(), 'A') + low; }

/// BCD, low byte first; nothing: it is none.
std::optional<std::string> digits_of(const Words& bytes) {
  std::string text;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    for (const int shift : {4, 0}) {
      const int digit = *byte >> shift & 15;
      if (digit > 9) return std::nullopt;
      text += static_cast<char>('0' + digit);
    }
  }
  return text;
}

bool is_void(const Words& bytes, int from) {
  return std::all_of(bytes.begin() + from, bytes.begin() + from + kVoltageEach,
                     [](std::uint16_t byte) { return byte == 0xFF || byte == 0; });
}

}  // namespace

std::vector<BusSettings> Dlt645Scan::settings_of(const BusSpec& bus, const std::vector<int>& bauds,
                                                 const std::vector<std::string>& modes) {
  if (!is_rtu(bus.settings)) return {};
  return line_settings(bus, bauds, modes, {9600, 2400, 4800, 1200}, {"8E1", "8N1"});
}

Nanos Dlt645Scan::silent_time(const BusSettings& settings) {
  Target any;
  any.family = Family::kDlt645;
  Block block = whole_item(kAddressItem, Family::kDlt645);
  return 2 * (kPatience + Nanos{read_time(settings, any, block)} + settings.gap);
}

Result<Words> Dlt645Scan::read(Bus& bus, const std::string& address, Family family, std::uint32_t item,
                               int bytes) const {
  Target target;
  target.address = address;
  target.family = family;
  target.timeout = kPatience;
  Block block = whole_item(item, family);
  block.count = static_cast<std::uint16_t>(bytes);
  return bus.read(target, block);
}

/// `called` may hold AA. Errors: the port.
Result<Dlt645Scan::Reply> Dlt645Scan::ask(Bus& bus, const std::string& called, std::string* address) {
  const BusCounters before = bus.counters();
  const Result<Words> words = read(bus, called, Family::kDlt645, kAddressItem, kAddressBytes);
  if (!words && words.error().code == Errc::kBusDown) return words.error();
  if (!words) return words.error().code == Errc::kTimeout ? Reply::kNothing : Reply::kSeveral;
  const auto digits = words->size() == kAddressBytes ? digits_of(*words) : std::nullopt;
  if (!digits || bus.counters().foreign_frames > before.foreign_frames) return Reply::kSeveral;
  *address = *digits;
  return Reply::kOne;
}

Status Dlt645Scan::run(const BusSettings& settings) {
  err_ << describe_setting(settings) << ", DL/T 645" << std::endl;
  const auto bus = tools_.make_bus(settings);
  if (Status opened = bus->open(); !opened) return opened;
  std::string address;
  auto reply = ask(*bus, any_with(""), &address);
  for (int i = 0; i < kSure && reply && *reply == Reply::kOne; ++i) {
    std::string again;
    reply = ask(*bus, any_with(""), &again);
    if (reply && *reply == Reply::kOne && again != address) reply = Reply::kSeveral;
  }
  if (!reply) return reply.error();
  if (*reply == Reply::kOne) return confirm(*bus, settings, address);
  if (*reply == Reply::kNothing) return look_for_1997(*bus, settings);
  err_ << "  several meters answer at once, or one damaged: each is asked by the low digits of its address, for some "
       << describe_time(kTwoDigits * (kPatience + Millis(100))) << std::endl;
  return descend(*bus, settings, "");
}

Status Dlt645Scan::descend(Bus& bus, const BusSettings& settings, const std::string& low) {
  for (int i = 0; i < kTwoDigits && !tools_.stopped(); ++i) {
    const std::string digits = (i < 10 ? "0" : "") + std::to_string(i) + low;
    std::string address;
    const auto reply = ask(bus, any_with(digits), &address);
    if (!reply) return reply.error();
    if (*reply == Reply::kNothing) continue;
    const bool last = digits.size() == kDigits;
    Status looked = *reply == Reply::kOne ? confirm(bus, settings, address)
                    : last                ? Status()
                                          : descend(bus, settings, digits);
    if (!looked) return looked;
  }
  return {};
}

Status Dlt645Scan::look_for_1997(Bus& bus, const BusSettings& settings) {
  const Result<Words> words = read(bus, any_with(""), Family::kDlt645Of1997, kNumberOf1997, kAddressBytes);
  if (!words) return words.error().code == Errc::kBusDown ? Status(words.error()) : Status();
  const auto address = digits_of(*words);
  if (!address || address->size() != kDigits) return {};
  const Result<Words> energy = read(bus, *address, Family::kDlt645Of1997, kEnergyOf1997, kEnergyBytes);
  if (!energy || std::count(found_.begin(), found_.end(), *address) != 0) return {};
  found_.push_back(*address);
  tell(bus, settings, *address, "dlt645_1997");
  return {};
}

/// Asks the meter by its own address.
Status Dlt645Scan::confirm(Bus& bus, const BusSettings& settings, const std::string& address) {
  if (std::count(found_.begin(), found_.end(), address) != 0) return {};
  const Result<Words> words = read(bus, address, Family::kDlt645, kAddressItem, kAddressBytes);
  if (!words && words.error().code == Errc::kBusDown) return words.error();
  if (!words) {
    err_ << "  " << address << " was found and does not answer by this address: " << words.error().detail << std::endl;
    return {};
  }
  found_.push_back(address);
  tell(bus, settings, address, profile_of(bus, address));
  return {};
}

/// By the phases whose voltage it has.
std::string Dlt645Scan::profile_of(Bus& bus, const std::string& address) const {
  const Result<Words> words = read(bus, address, Family::kDlt645, kVoltages, kVoltageBytes);
  if (!words || words->size() < kVoltageBytes || is_void(*words, 2 * kVoltageEach)) return "dlt645_1p";
  return is_void(*words, kVoltageEach) ? "dlt645_3w" : "dlt645_3p";
}

void Dlt645Scan::tell(Bus& bus, const BusSettings& settings, const std::string& address,
                      const std::string& name) const {
  const Profile& profile = *library_.find(name);
  out_ << "address " << address << " at " << describe_setting(settings) << ": " << profile.title;
  const char* separator = ": ";
  for (const char* point_name : {"active_energy_import", "voltage_l1", "serial_number"}) {
    const Point* const point = profile.find(point_name);
    if (point == nullptr) continue;
    RegisterImage image;
    for (const Block& place : registers_of(*point)) {
      const Result<Words> words = read(bus, address, profile.family, place.item, place.address + place.count);
      if (words) image.put(item_block(place, 0, 0), *words);
    }
    const Ratios none{Decimal(1), Decimal(1)};
    const auto decoded = decode(profile, *point, image, none);
    if (!decoded || decoded->value.form == Value::Form::kNull) continue;
    out_ << separator << point_name << " " << decoded->value.text << (point->unit.empty() ? "" : " ") << point->unit;
    separator = ", ";
  }
  const bool transformers = std::any_of(profile.points.begin(), profile.points.end(),
                                        [](const Point& point) { return point.ratio != Ratio::kNone; });
  out_ << "\n  --bus " << bus_flag(name_, settings) << "\n  --meter id=meter-" << address << ",bus=" << name_
       << ",address=" << address << ",profile=" << name << ",every=1m" << (transformers ? ",ct=1/1,pt=1/1" : "")
       << std::endl;
}

}  // namespace metergate
