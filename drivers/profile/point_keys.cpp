#include "drivers/profile/point_keys.h"

#include <algorithm>

#include "drivers/profile/item_keys.h"
#include "drivers/profile/key_setters.h"
#include "drivers/profile/profile_line.h"

namespace metergate {

namespace {

constexpr unsigned bit(PointType type) { return 1u << static_cast<unsigned>(type); }
constexpr unsigned kAll = ~0u;
constexpr unsigned kBytes = bit(PointType::kU8) | bit(PointType::kI8);
constexpr unsigned kNumbers = kAll & ~(bit(PointType::kString) | bit(PointType::kTime));
constexpr unsigned kWholes = kNumbers & ~(bit(PointType::kF32) | bit(PointType::kF64));
constexpr unsigned kWide = bit(PointType::kU32) | bit(PointType::kI32) | bit(PointType::kU64) | bit(PointType::kI64) |
                           bit(PointType::kF32) | bit(PointType::kF64) | bit(PointType::kSm32);
constexpr unsigned kSized =
    bit(PointType::kBcd) | bit(PointType::kM10k) | bit(PointType::kString) | bit(PointType::kTime);

/// Where a key means something.
enum class Tables : unsigned { kRegisters = 1, kBits = 2, kItems = 4, kModbus = 3, kValues = 5, kAny = 7 };

Tables kind_of(Table table) {
  return table == Table::kItem ? Tables::kItems : is_bits(table) ? Tables::kBits : Tables::kRegisters;
}

bool are_among(Tables one, Tables all) { return (static_cast<unsigned>(one) & static_cast<unsigned>(all)) != 0; }

struct Key {
  const char* name;
  Status (*set)(const std::string& text, Point* point);
  unsigned types;
  const char* types_text;
  Tables tables;
};

constexpr std::array<Key, 31> kKeys{{
    {"bytes", set_bytes, kAll, "all types", Tables::kItems},
    {"at", set_at, kAll, "all types", Tables::kItems},
    {"register_bytes", set_register_bytes, kWide, "types of 4 and 8 bytes", Tables::kRegisters},
    {"form", set_form, bit(PointType::kTime), "time", Tables::kValues},
    {"registers", set_registers, kSized, "bcd, m10k, string and time", Tables::kRegisters},
    {"bits", set_bits, bit(PointType::kBits), "bits", Tables::kAny},
    {"chars", set_chars, bit(PointType::kString), "string", Tables::kRegisters},
    {"byte", set_byte, kBytes | bit(PointType::kString), "u8, i8 and string", Tables::kRegisters},
    {"order", set_order, kAll & ~kBytes, "all types but u8 and i8", Tables::kRegisters},
    {"parts", set_parts, kAll & ~kBytes & ~bit(PointType::kBits), "types of several registers", Tables::kValues},
    {"block", set_block, kAll, "all types", Tables::kItems},
    {"na", set_na, kAll & ~bit(PointType::kString), "all types but string", Tables::kValues},
    {"scale", set_scale, kNumbers, "numbers", Tables::kValues},
    {"offset", set_offset, kNumbers, "numbers", Tables::kValues},
    {"exponent", set_exponent, kNumbers, "numbers", Tables::kValues},
    {"times", set_times, kNumbers, "numbers", Tables::kValues},
    {"sign", set_sign, kNumbers, "numbers", Tables::kValues},
    {"ratio", set_ratio, kNumbers, "numbers", Tables::kValues},
    {"enum", set_enum, kWholes, "whole numbers", Tables::kAny},
    {"min", set_min, kNumbers, "numbers", Tables::kValues},
    {"max", set_max, kNumbers, "numbers", Tables::kValues},
    {"wraps", set_wraps, kNumbers, "numbers", Tables::kValues},
    {"max_rise", set_max_rise, kNumbers, "numbers", Tables::kValues},
    {"unit", set_unit, kNumbers, "numbers", Tables::kAny},
    {"obis", set_obis, kAll, "all types", Tables::kAny},
    {"kind", set_kind, kAll, "all types", Tables::kAny},
    {"source", set_source, kAll, "all types", Tables::kAny},
    {"write", set_write, kNumbers | bit(PointType::kTime), "numbers and times", Tables::kAny},
    {"write_address", set_write_address, kNumbers, "numbers", Tables::kModbus},
    {"allow", set_allow, kNumbers, "numbers", Tables::kAny},
    {"verify", set_verify, kNumbers, "numbers", Tables::kAny},
}};

Status check_known(const KeyValues& keys) {
  std::vector<std::string> known(kKeys.size());
  std::transform(kKeys.begin(), kKeys.end(), known.begin(), [](const Key& key) { return key.name; });
  for (const auto& [name, text] : keys) {
    if (std::count(known.begin(), known.end(), name) != 0) continue;
    std::string offending = name;
    offending.append("=").append(text);
    return wrong(offending, "no such key" + hint(name, known));
  }
  return {};
}

/// Keys that a type cannot do without, and those that cannot go together.
Status check_together(const KeyValues& keys, const Point& point) {
  const std::string type = type_name(point.type);
  const bool item = point.table == Table::kItem;
  if (point.type == PointType::kTime && keys.count("form") == 0) {
    return wrong(type, item ? "needs form=dlt" : "needs form=unix, ymdhms or bcd");
  }
  if (item && keys.count("bytes") == 0 && keys.count("parts") == 0 && point.type != PointType::kBits) {
    return wrong(type, "needs bytes=, the number of its bytes");
  }
  if (!item && point.registers == 0 && point.type != PointType::kTime && keys.count("registers") == 0) {
    return wrong(type, "needs registers=, the number of its registers");
  }
  if (point.type == PointType::kBits && point.bit_width == 0 && keys.count("bits") == 0) {
    return wrong(type, "needs bits=FIRST:WIDTH, bit 0 the lowest");
  }
  for (const char* name :
       {"scale", "offset", "exponent", "times", "sign", "ratio", "min", "max", "wraps", "max_rise"}) {
    const auto key = keys.find(name);
    if (keys.count("enum") != 0 && key != keys.end()) {
      return wrong(key->first + "=" + key->second, "an enum names raw values: it has no scale or limits");
    }
  }
  return {};
}

}  // namespace

Status apply_keys(const KeyValues& keys, Point* point) {
  if (Status known = check_known(keys); !known) return known;
  if (Status together = check_together(keys, *point); !together) return together;
  for (const Key& key : kKeys) {
    const auto given = keys.find(key.name);
    if (given == keys.end()) continue;
    const std::string offending = given->first + "=" + given->second;
    const bool clock = point->type == PointType::kTime && point->table == Table::kItem;
    const unsigned types = key.set == set_write && !clock ? kNumbers : key.types;
    if ((types & bit(point->type)) == 0) return wrong(offending, std::string("goes with ") + key.types_text);
    if (!are_among(kind_of(point->table), key.tables)) {
      return wrong(offending, point->table == Table::kItem   ? "has no meaning for a data item"
                              : key.tables == Tables::kItems ? "goes with data items, table di"
                                                             : "has no meaning in coil and discrete tables");
    }
    if (Status set = key.set(given->second, point); !set) return set;
  }
  if (point->table == Table::kItem) {
    if (Status item = check_item(*point); !item) return item;
    return point->write ? check_write(*point, false) : Status();
  }
  if (Status order = check_order(*point); !order) return order;
  return point->write ? check_write(*point, keys.count("write_address") != 0) : Status();
}

}  // namespace metergate
