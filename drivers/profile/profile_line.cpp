#include "drivers/profile/profile_line.h"

#include <algorithm>

#include "drivers/profile/item_keys.h"
#include "drivers/profile/point_keys.h"
#include "drivers/profile/register_codec.h"
#include "drivers/profile/standard_names.h"

namespace metergate {

namespace {

constexpr std::array<Keyword<Table>, 4> kTables{
    {{"coil", Table::kCoil}, {"discrete", Table::kDiscrete}, {"input", Table::kInput}, {"holding", Table::kHolding}}};

constexpr std::array<Keyword<WordOrder>, 4> kOrders{
    {{"ABCD", WordOrder::kABCD}, {"CDAB", WordOrder::kCDAB}, {"BADC", WordOrder::kBADC}, {"DCBA", WordOrder::kDCBA}}};

struct Type {
  PointType type;
  int registers;  ///< 0: a key gives them
};

constexpr std::array<Keyword<Type>, 20> kTypes{
    {{"u16", {PointType::kU16, 1}},   {"i16", {PointType::kI16, 1}},   {"u32", {PointType::kU32, 2}},
     {"i32", {PointType::kI32, 2}},   {"u48", {PointType::kU48, 3}},   {"i48", {PointType::kI48, 3}},
     {"u64", {PointType::kU64, 4}},   {"i64", {PointType::kI64, 4}},   {"f32", {PointType::kF32, 2}},
     {"f64", {PointType::kF64, 4}},   {"u8", {PointType::kU8, 1}},     {"i8", {PointType::kI8, 1}},
     {"sm16", {PointType::kSm16, 1}}, {"sm32", {PointType::kSm32, 2}}, {"bcd", {PointType::kBcd, 0}},
     {"m10k", {PointType::kM10k, 0}}, {"bits", {PointType::kBits, 1}}, {"string", {PointType::kString, 0}},
     {"time", {PointType::kTime, 0}}, {"sbcd", {PointType::kSbcd, 0}}}};
constexpr std::array<PointType, 5> kItemTypes{PointType::kBcd, PointType::kSbcd, PointType::kBits, PointType::kString,
                                              PointType::kTime};
constexpr int kUsualBitsBytes = 2;  // DL/T 645-2007's status words'
constexpr const char* kItemTable = "di";

bool is_text(const Point& point) { return point.type == PointType::kString || point.type == PointType::kTime; }

Result<KeyValues> keys_of(const std::vector<std::string>& tokens) {
  KeyValues keys;
  std::string previous;
  for (std::size_t i = 3; i < tokens.size(); ++i) {
    const std::string& token = tokens[i];
    const std::size_t equals = token.find('=');
    if (equals == std::string::npos || equals == 0) {
      // The one value of several words that the format writes without quotes.
      if (previous == "verify" && token == "after" && i + 1 < tokens.size()) {
        keys["verify"] += " after " + tokens[++i];
        continue;
      }
      return wrong(token, token[0] == '#' ? "a comment stands on a line of its own, '#' at its start"
                                          : "a key is key=value without blanks, or with the value in double quotes");
    }
    previous = token.substr(0, equals);
    if (!keys.emplace(previous, token.substr(equals + 1)).second) return wrong(token, previous + " was given before");
  }
  return keys;
}

/// How a value in `given` becomes one in `standard`.
std::string factor_between(const std::string& given, const std::string& standard) {
  if (given == "k" + standard || (given[0] == 'M' && "k" + given.substr(1) == standard)) return "1000";
  if (given == "M" + standard) return "1000000";
  if ("k" + given == standard || given == "m" + standard) return "0.001";
  return "what converts it";
}

Status check_unit(const std::string& given, const std::string& standard, const Point& point) {
  if (given == standard) return {};
  if (standard.empty()) return wrong("unit=" + given, point.name + " has no unit in any profile");
  if (given.empty()) return wrong("unit=", point.name + " is in " + standard + " in every profile");
  return wrong("unit=" + given, point.name + " is in " + standard + " in every profile: multiply scale by " +
                                    factor_between(given, standard) + " and give unit=" + standard);
}

PointKind usual_kind(const Point& point) {
  if (is_text(point)) return PointKind::kText;
  if (!point.names.empty() || point.type == PointType::kBits) return PointKind::kState;
  if (point.name == "serial_number") return PointKind::kText;
  const bool energy = point.unit == "kWh" || point.unit == "kvarh" || point.unit == "kVAh";
  return energy ? PointKind::kCounter : PointKind::kGauge;
}

/// What the name means by itself, where the line does not say it.
Status fill_in(const KeyValues& keys, Point* point) {
  if (const auto standard = standard_name(point->name)) {
    if (!standard->unit.empty() && is_text(*point)) {
      return wrong(type_name(point->type), point->name + " is a number in " + standard->unit + " in every profile");
    }
    const auto unit = keys.find("unit");
    if (unit != keys.end()) {
      if (Status checked = check_unit(unit->second, standard->unit, *point); !checked) return checked;
    }
    point->unit = standard->unit;
    if (keys.count("obis") == 0) point->obis = standard->obis;
  }
  if (keys.count("kind") == 0) point->kind = usual_kind(*point);
  if (is_text(*point) && point->kind != PointKind::kText) {
    return wrong("kind=" + keys.at("kind"), "a " + type_name(point->type) + " is kind=text");
  }
  if (!point->names.empty() && point->kind != PointKind::kState) {
    return wrong("kind=" + keys.at("kind"), "an enum is kind=state");
  }
  for (const char* key : {"wraps", "max_rise"}) {
    if (keys.count(key) == 0 || point->kind == PointKind::kCounter) continue;
    return wrong(std::string(key) + "=" + keys.at(key), "goes with kind=counter");
  }
  return {};
}

Status check_room(const Point& point) {
  for (const std::uint16_t address : point.addresses) {
    if (address + point.registers > kAddresses) {
      return wrong(std::to_string(address), "with " + std::to_string(point.registers) +
                                                (is_bits(point.table) ? " bits" : " registers") +
                                                " it reaches beyond the last address, 65535");
    }
  }
  return {};
}

/// What is right where `address` is none; a manual's number has the table in front and counts from 1.
std::string address_text(Table table, const std::vector<std::string>& tokens) {
  const std::string& address = tokens[1];
  const std::string rule = "an address is a whole number from 0 to " + std::to_string(kAddresses - 1);
  const char front = table == Table::kHolding ? '4' : table == Table::kInput ? '3' : '1';
  const auto number = whole_number(address);
  if (table == Table::kCoil || address.size() != 6 || address.front() != front || !number) return rule;
  const auto rest = static_cast<int>(*number % 100'000);
  if (rest < 1 || rest > kAddresses) return rule;
  return rule + "; a manual's " + address + " is " + tokens[0] + " " + std::to_string(rest - 1);
}

/// What is right where a key stands in the place of the type.
std::string type_before(Table table, const std::vector<std::string>& tokens) {
  const std::string& key = tokens[2];
  const bool bits = key.rfind("bits=", 0) == 0;
  const std::string type = bits ? "bits" : is_bits(table) ? "u16" : "u32";
  return "the type stands before the keys: " + tokens[0] + " " + tokens[1] + " " + type + " " + key +
         (is_bits(table) && !bits ? "; one " + tokens[0] + " is u16" : "");
}

/// `di` DI TYPE, with the length of `bits` (0 where a key must give it).
Result<Point> parse_item_place(const std::vector<std::string>& tokens, Family family) {
  if (tokens.size() < 3 || tokens[0] != kItemTable) {
    return wrong(tokens.empty() ? "" : tokens[0], "with this protocol a line is NAME = di ITEM TYPE key=value ...");
  }
  const auto item = parse_item(tokens[1], family);
  if (!item) return item.error();
  const Result<Type> type = one_of(kTypes, tokens[2], "a type");
  if (!type) return type.error();
  if (std::count(kItemTypes.begin(), kItemTypes.end(), type->type) == 0) {
    return wrong(tokens[2], "a data item holds bcd, sbcd, bits, string or time");
  }
  Point point;
  point.table = Table::kItem;
  point.type = type->type;
  point.places = {item_block(*item, 0, point.type == PointType::kBits ? kUsualBitsBytes : 0)};
  return point;
}

/// TABLE ADDRESS TYPE, with the type's own number of registers (0 where a key must give it).
Result<Point> parse_place(const std::vector<std::string>& tokens, WordOrder order) {
  if (tokens.size() < 3) {
    const std::string given = tokens.empty() ? "" : tokens.front() + (tokens.size() > 1 ? " " + tokens[1] : "");
    return wrong(given, "TABLE ADDRESS TYPE is needed, such as holding 0x10 u32");
  }
  if (tokens[0] == kItemTable) return wrong(tokens[0], "needs protocol = dlt645-2007 or another one in [profile]");
  const Result<Table> table = one_of(kTables, tokens[0], "a table");
  if (!table) return table.error();
  const Result<int> address = number_within(tokens[1], 0, kAddresses - 1, "an address");
  if (!address) return wrong(tokens[1], address_text(*table, tokens));
  if (tokens[2].find('=') != std::string::npos) return wrong(tokens[2], type_before(*table, tokens));
  const Result<Type> type = one_of(kTypes, tokens[2], "a type");
  if (!type) return type.error();
  if (type->type == PointType::kSbcd) return wrong(tokens[2], "goes with data items, table di");

  Point point;
  point.table = *table;
  point.addresses = {static_cast<std::uint16_t>(*address)};
  point.type = type->type;
  point.registers = type->registers;
  point.order = order;
  if (is_bits(point.table)) {
    if (point.type != PointType::kBits && point.type != PointType::kU16) {
      return wrong(tokens[2], "a point of the " + tokens[0] + " table is bits, or u16 for one bit");
    }
    point.type = PointType::kBits;
    point.bit_width = 1;
  }
  return point;
}

}  // namespace

std::string type_name(PointType type) {
  const auto found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const Keyword<Type>& word) { return word.meaning.type == type; });
  return found->name;
}

Result<WordOrder> parse_order(std::string_view text) { return one_of(kOrders, text, "order"); }

Result<Point> parse_point(const std::string& name, std::string_view text, WordOrder order, Family family) {
  const auto tokens = tokens_of(text);
  if (!tokens) return tokens.error();
  Result<Point> point = family == Family::kModbus ? parse_place(*tokens, order) : parse_item_place(*tokens, family);
  if (!point) return point;
  point->name = name;
  const auto keys = keys_of(*tokens);
  if (!keys) return keys.error();
  if (Status applied = apply_keys(*keys, &*point); !applied) return applied.error();
  if (Status filled = fill_in(*keys, &*point); !filled) return filled.error();
  if (Status room = check_room(*point); !room) return room.error();
  return point;
}

Result<Identify> parse_identify(std::string_view text, WordOrder order) {
  const auto tokens = tokens_of(text);
  if (!tokens) return tokens.error();
  if (tokens->size() != 4)
    return wrong(text, "identify is TABLE ADDRESS TYPE VALUE, a VALUE with blanks in double quotes");
  Result<Point> point = parse_place(*tokens, order);
  if (!point) return point.error();
  const std::string& value = tokens->back();
  Identify identify;
  identify.point = *point;
  identify.point.name = "identify";
  if (point->type == PointType::kString) {
    identify.point.registers = static_cast<int>(value.size() + 1) / 2;
    identify.point.kind = PointKind::kText;
    identify.text = value;
    if (value.empty() || value.size() > 64) return wrong(value, "identify compares 1 to 64 characters");
  } else if (point->registers == 0 || (point->type == PointType::kBits && !is_bits(point->table))) {
    return wrong((*tokens)[2], "identify takes the types that need no key");
  } else {
    const auto whole = whole_number(value);
    const auto number = whole ? std::optional<Decimal>(Decimal(*whole)) : Decimal::parse(value);
    if (!number || !pattern_for(identify.point, *number)) return wrong(value, "no value of " + (*tokens)[2]);
    identify.text = number->text();
  }
  if (Status room = check_room(identify.point); !room) return room.error();
  return identify;
}

}  // namespace metergate
