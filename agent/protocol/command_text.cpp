#include "agent/protocol/command_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/base/base64.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"

namespace metergate {
namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMostItems = 64;
constexpr std::int64_t kMostPages = 1'000'000;
constexpr std::int64_t kMostParts = 100;
constexpr std::int64_t kMostSeq = 1LL << 53;  // what every JSON reader takes
constexpr std::array<std::pair<const char*, Command::Op>, 12> kOps{{{"read", Command::Op::kRead},
                                                                    {"write", Command::Op::kWrite},
                                                                    {"status", Command::Op::kStatus},
                                                                    {"catalog", Command::Op::kCatalog},
                                                                    {"pause", Command::Op::kPause},
                                                                    {"resume", Command::Op::kResume},
                                                                    {"replay", Command::Op::kReplay},
                                                                    {"configuration", Command::Op::kConfiguration},
                                                                    {"configure", Command::Op::kConfigure},
                                                                    {"confirm", Command::Op::kConfirm},
                                                                    {"log", Command::Op::kLog},
                                                                    {"trace", Command::Op::kTrace}}};
constexpr std::array<std::pair<const char*, Table>, 4> kTables{
    {{"coil", Table::kCoil}, {"discrete", Table::kDiscrete}, {"input", Table::kInput}, {"holding", Table::kHolding}}};

struct Refusal {
  std::string code;
  std::string message;
};
using Verdict = std::optional<Refusal>;
Refusal bad_command(std::string message) { return Refusal{"bad_command", std::move(message)}; }
Refusal bad_value(std::string message) { return Refusal{"bad_value", std::move(message)}; }
Error invalid(std::string message) { return Error{Errc::kInvalid, std::move(message)}; }

/// What a person sees of a hostile text: bounded, the escaping is done where it is written.
std::string shown(const std::string& text) {
  return "'" + (text.size() > 40 ? text.substr(0, 40) + "..." : text) + "'";
}

const Json* given(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member && !member->is(Json::Kind::kNull) ? member : nullptr;
}

bool is_id(const std::string& text) {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

Result<std::string> read_name(const Json& json, const std::string& what) {
  if (json.is(Json::Kind::kText) && !json.text.empty() && json.text.size() <= kMaxName) return json.text;
  return invalid(what + " must be a text of 1 to " + std::to_string(kMaxName) + " bytes");
}

/// With zeros in front, and neither the address of all meters nor that of any.
Result<std::string> full_address(const std::string& text) {
  const bool good =
      !text.empty() && text.size() <= kAddressDigits && text.find_first_not_of("0123456789") == std::string::npos;
  if (!good) return invalid("address of route must be a text of 1 to 12 digits");
  const std::string full = std::string(kAddressDigits - text.size(), '0') + text;
  if (full.find_first_not_of('9') == std::string::npos) return invalid("address of route is that of all meters");
  return full;
}

/// By the digits of an item; none: it is no item.
std::optional<Family> family_of(const std::string& item) {
  if (item.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return std::nullopt;
  for (const Family family : {Family::kDlt645, Family::kDlt645Of1997}) {
    if (static_cast<int>(item.size()) == 2 * item_width(family)) return family;
  }
  return std::nullopt;
}

Verdict fill_points(const Json& object, Command& command) {
  const Json* points = given(object, "points");
  command.all_points = points == nullptr;
  if (!points) return std::nullopt;
  if (!points->is(Json::Kind::kArray) || points->items.empty()) {
    return bad_command("points must be an array of at least one name; leave it out for all points");
  }
  for (const Json& item : points->items) {
    auto name = read_name(item, "each of points");
    if (!name) return bad_command(name.error().detail);
    command.points.push_back(std::move(*name));
  }
  return std::nullopt;
}

Verdict fill_read(const Json& object, Command& command) {
  const Json* meter = given(object, "meter");
  const Json* route = given(object, "route");
  const Json* registers = given(object, "registers");
  const Json* items = given(object, "items");
  const bool raw = registers != nullptr || items != nullptr;
  if ((meter != nullptr) == (route != nullptr) || (route != nullptr) != raw || (registers && items)) {
    return bad_command("a read needs either meter, or route and registers (or items) together");
  }
  if (meter) {
    auto name = read_name(*meter, "meter");
    if (!name) return bad_command(name.error().detail);
    command.meter = std::move(*name);
    return fill_points(object, command);
  }
  auto where = parse_route(*route);
  if (!where) return bad_command(where.error().detail);
  command.route = std::move(*where);
  if (command.route->address.empty() == (items != nullptr)) {
    return bad_command("a unit has registers, an address has items");
  }
  if (items) {
    auto blocks = parse_items(*items);
    if (!blocks) return bad_command(blocks.error().detail);
    command.items = std::move(*blocks);
    return std::nullopt;
  }
  auto block = parse_registers(*registers);
  if (!block) return bad_command(block.error().detail);
  command.registers = *block;
  return std::nullopt;
}

Verdict fill_value(const Json& json, Command& command) {
  if (json.is(Json::Kind::kNumber)) {
    const auto number = Decimal::parse(json.text);
    if (!number) return bad_value("value must be a number of at most 38 digits, not " + shown(json.text));
    command.value = Value{Value::Form::kNumber, json.text, number};
    return std::nullopt;
  }
  if (json.is(Json::Kind::kText)) {
    if (json.text.empty() || json.text.size() > kMaxName)
      return bad_value("value must be a number or the name of a state");
    command.value = Value{Value::Form::kText, json.text, std::nullopt};
    return std::nullopt;
  }
  if (json.is(Json::Kind::kBoolean)) {
    return bad_value(std::string("value must be a number or the name of a state: write ") + (json.boolean ? "1" : "0"));
  }
  return bad_value("value must be a number or the name of a state");
}

Verdict fill_write(const Json& object, Command& command) {
  const Json* meter = given(object, "meter");
  const Json* point = given(object, "point");
  const Json* value = object.find("value");
  if (!meter || !point || !value) return bad_command("a write needs meter, point and value");
  if (given(object, "route")) return bad_command("a write goes to a meter's point only, leave out route");
  auto name = read_name(*meter, "meter");
  if (!name) return bad_command(name.error().detail);
  command.meter = std::move(*name);
  auto quantity = read_name(*point, "point");
  if (!quantity) return bad_command(quantity.error().detail);
  command.point = std::move(*quantity);
  if (!command.expires) {
    return bad_command(
        "a write needs expires_at, a time like \"2026-11-22T10:00:30.000Z\" after which it must not happen");
  }
  return fill_value(*value, command);
}

Verdict fill_page(const Json& object, Command& command) {
  const Json* page = given(object, "page");
  if (!page) return std::nullopt;
  const auto number = page->as_integer(1, kMostPages);
  if (!number) return bad_command("page must be a whole number from 1");
  command.page = static_cast<std::size_t>(*number);
  return std::nullopt;
}

bool is_hash(const Json& json) {
  return json.is(Json::Kind::kText) && json.text.size() == 8 &&
         json.text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Verdict fill_catalog(const Json& object, Command& command) {
  if (auto verdict = fill_page(object, command)) return verdict;
  const Json* hash = given(object, "catalog");
  if (!hash) return std::nullopt;
  if (!is_hash(*hash)) return bad_command("catalog must be 8 hex digits in small letters, as readings carry them");
  command.catalog = hash->text;
  return std::nullopt;
}

Verdict fill_bus(const Json& object, Command& command) {
  const Json* bus = given(object, "bus");
  if (!bus) return bad_command("a pause, resume or trace needs bus, the name of one");
  auto name = read_name(*bus, "bus");
  if (!name) return bad_command(name.error().detail);
  command.bus = std::move(*name);
  const Json* time = given(object, "for");
  if (!time) return std::nullopt;
  const auto length = parse_duration(time->as_text().value_or("?"), kShortestPause, kLongestPause);
  if (!length) return bad_value("for: " + length.error().detail);
  command.time = *length;
  return std::nullopt;
}

Verdict fill_numbers(const Json& object, ReplayWish& wish) {
  const Json* epoch = given(object, "epoch");
  const Json* from = given(object, "from_seq");
  const Json* to = given(object, "to_seq");
  if (!epoch || !from || !to) return bad_command("a replay by number needs epoch, from_seq and to_seq");
  auto name = read_name(*epoch, "epoch");
  if (!name) return bad_command(name.error().detail);
  wish.epoch = std::move(*name);
  const auto first = from->as_integer(1, kMostSeq);
  const auto last = to->as_integer(1, kMostSeq);
  if (!first || !last || *first > *last) {
    return bad_command("from_seq and to_seq must be whole numbers from 1, the first not above the last");
  }
  wish.from_seq = *first;
  wish.to_seq = *last;
  return std::nullopt;
}

Verdict fill_times(const Json& from, const Json& to, ReplayWish& wish) {
  const auto first = from.is(Json::Kind::kText) ? parse_rfc3339(from.text) : std::nullopt;
  const auto last = to.is(Json::Kind::kText) ? parse_rfc3339(to.text) : std::nullopt;
  if (!first || !last || *first > *last) {
    return bad_command(
        "from and to must be RFC 3339 times like \"2026-11-22T10:00:30.000Z\", the first not behind the last");
  }
  wish.from = *first;
  wish.to = *last;
  return std::nullopt;
}

Verdict fill_replay(const Json& object, Command& command) {
  if (const Json* name = given(object, "lane")) {
    const auto lane = lane_of(name->is(Json::Kind::kText) ? name->text : "");
    if (!lane) return bad_command("lane must be readings, results or events");
    command.replay.lane = *lane;
  }
  if (const Json* meter = given(object, "meter")) {
    auto name = read_name(*meter, "meter");
    if (!name) return bad_command(name.error().detail);
    command.meter = command.replay.meter = std::move(*name);
  }
  const Json* from = given(object, "from");
  const Json* to = given(object, "to");
  const bool by_number = given(object, "epoch") || given(object, "from_seq") || given(object, "to_seq");
  if (by_number == (from || to) || (from == nullptr) != (to == nullptr)) {
    return bad_command("a replay needs either epoch, from_seq and to_seq, or from and to");
  }
  return by_number ? fill_numbers(object, command.replay) : fill_times(*from, *to, command.replay);
}

Verdict fill_change(const Json& object, Command& command) {
  RemoteChange& change = command.change;
  const Json* base = given(object, "base");
  if (!base || !is_hash(*base))
    return bad_command("base must be 8 hex digits, the configuration in force as status gives it");
  change.base = base->text;
  auto text = remote_text_of(object);
  if (!text) {
    return bad_command(R"(a configure needs text, and files only as an object like {"profiles/my.ini":"..."})");
  }
  change.text = std::move(*text);
  if (const Json* within = given(object, "confirm_within")) {
    const auto time = parse_duration(within->as_text().value_or("?"), kShortestTrial, kLongestTrial);
    if (!time) return bad_value("confirm_within: " + time.error().detail);
    change.within = *time;
  } else {
    change.within = kUsualTrial;
  }
  const Json* part = given(object, "part");
  const Json* parts = given(object, "parts");
  if (!part && !parts) return std::nullopt;
  const auto many = parts ? parts->as_integer(1, kMostParts) : std::nullopt;
  const auto which = part && many ? part->as_integer(1, *many) : std::nullopt;
  if (!which) return bad_command("part and parts must be whole numbers, part from 1 to parts, parts at most 100");
  change.part = static_cast<int>(*which);
  change.parts = static_cast<int>(*many);
  return std::nullopt;
}

/// As it stands, or as what was signed says; then nothing beside that counts.
Verdict fill_configure(const Json& object, Command& command) {
  const Json* text = given(object, "signed");
  const Json* signature = given(object, "sig");
  if (!text && !signature) return fill_change(object, command);
  const auto bytes = text && text->is(Json::Kind::kText) ? parse_base64(text->text) : std::nullopt;
  const auto sig = signature && signature->is(Json::Kind::kText) ? parse_base64(signature->text) : std::nullopt;
  if (!bytes || !sig) return bad_command("signed and sig go together, each a text in base64");
  const auto inner = parse_json(*bytes);
  if (!inner || !inner->is(Json::Kind::kObject)) return bad_command("signed must be a JSON object in base64");
  const Json* id = given(*inner, "id");
  const Json* op = given(*inner, "op");
  if (!id || id->text != command.id || !op || op->text != op_name(command.op)) {
    return bad_command("what was signed has another id or op");
  }
  const Json* gateway = given(*inner, "gateway");
  const Json* after = given(*inner, "not_after");
  const auto time = after ? parse_rfc3339(after->as_text().value_or("?")) : std::nullopt;
  if (!gateway || !gateway->is(Json::Kind::kText) || !time) {
    return bad_command("what is signed needs gateway, and not_after, an RFC 3339 time");
  }
  command.signed_text = SignedText{*bytes, *sig, gateway->text, *time};
  return fill_change(*inner, command);
}

Verdict fill_confirm(const Json& object, Command& command) {
  const Json* config = given(object, "config");
  if (!config || !is_hash(*config)) return bad_command("config must be 8 hex digits, the configuration on trial");
  command.config = config->text;
  return std::nullopt;
}

Verdict fill_log(const Json& object, Command& command) {
  command.lines = kUsualLogLines;
  const Json* lines = given(object, "lines");
  if (!lines) return std::nullopt;
  const auto number = lines->as_integer(1, kMostLogLines);
  if (!number) return bad_command("lines must be a whole number from 1 to " + std::to_string(kMostLogLines));
  command.lines = static_cast<std::size_t>(*number);
  return std::nullopt;
}

Verdict fill_op(const Json& object, Command& command) {
  const Json* op = given(object, "op");
  std::vector<std::string> names;
  for (const auto& entry : kOps) names.emplace_back(entry.first);
  std::string known;
  for (const std::string& name : names) {
    known += (known.empty() ? "" : &name == &names.back() ? " or " : ", ") + name;
  }
  if (!op || !op->is(Json::Kind::kText)) return bad_command("op must be " + known);
  const auto* const found = std::find_if(kOps.begin(), kOps.end(), [&](const auto& o) { return op->text == o.first; });
  if (found != kOps.end()) {
    command.op = found->second;
    return std::nullopt;
  }
  return bad_command("op " + shown(op->text) + " is unknown, it must be " + known +
                     hint(op->text.substr(0, 40), names));
}

Verdict fill(const Json& object, Command& command) {
  if (auto verdict = fill_op(object, command)) return verdict;
  if (const Json* expires = given(object, "expires_at")) {
    command.expires = expires->is(Json::Kind::kText) ? parse_rfc3339(expires->text) : std::nullopt;
    if (!command.expires) return bad_command("expires_at must be an RFC 3339 time like \"2026-11-22T10:00:30.000Z\"");
  }
  switch (command.op) {
    case Command::Op::kRead:
      return fill_read(object, command);
    case Command::Op::kWrite:
      return fill_write(object, command);
    case Command::Op::kCatalog:
      return fill_catalog(object, command);
    case Command::Op::kPause:
    case Command::Op::kResume:
      return fill_bus(object, command);
    case Command::Op::kReplay:
      return fill_replay(object, command);
    case Command::Op::kStatus:
    case Command::Op::kConfiguration:
      return fill_page(object, command);
    case Command::Op::kConfigure:
      return fill_configure(object, command);
    case Command::Op::kConfirm:
      return fill_confirm(object, command);
    case Command::Op::kLog:
      return fill_log(object, command);
    case Command::Op::kTrace:
      return fill_bus(object, command);
  }
  return std::nullopt;
}

BadCommand unreadable(std::string message) { return BadCommand{{}, {}, "bad_command", std::move(message), {}, {}}; }

BadCommand refused(const Json& object, const std::string& id, Refusal refusal) {
  BadCommand bad{id, {}, std::move(refusal.code), std::move(refusal.message), {}, {}};
  if (const Json* op = given(object, "op"); op && is_id(op->text) && op->text.size() <= 32) bad.op = op->text;
  if (const Json* meter = given(object, "meter")) {
    if (auto name = read_name(*meter, "meter")) bad.meter = std::move(*name);
  }
  if (const Json* route = given(object, "route")) {
    if (auto where = parse_route(*route)) bad.route = std::move(*where);
  }
  return bad;
}

}  // namespace

Result<Route> parse_route(const Json& json) {
  const Json* bus = given(json, "bus");
  const Json* unit = given(json, "unit");
  const Json* address = unit ? nullptr : given(json, "address");
  if (!bus || (!unit && !address)) return invalid(R"(route must be an object like {"bus":"rs485-1","unit":7})");
  auto name = read_name(*bus, "bus of route");
  if (!name) return name.error();
  if (address) {
    auto digits = full_address(address->is(Json::Kind::kText) ? address->text : "");
    if (!digits) return digits.error();
    return Route{*name, 0, std::move(*digits)};
  }
  const auto number = unit->as_integer(0, 255);
  if (!number) return invalid("unit of route must be a whole number from 0 to 255");
  return Route{*name, static_cast<int>(*number), ""};
}

Result<std::vector<Block>> parse_items(const Json& array) {
  const std::string wanted = "items must be an array of 1 to " + std::to_string(kMostItems) +
                             R"( data items as hex digits, like ["00010000"])";
  if (!array.is(Json::Kind::kArray) || array.items.empty() || array.items.size() > kMostItems) return invalid(wanted);
  std::optional<Family> family;
  std::vector<Block> items;
  for (const Json& json : array.items) {
    const std::string text = json.is(Json::Kind::kText) ? json.text : "";
    const auto of = family_of(text);
    if (!of) return invalid(wanted + ": " + shown(text) + " is none");
    if (family.value_or(*of) != *of) return invalid("items must all have 8 digits, or all 4");
    family = of;
    items.push_back(whole_item(static_cast<std::uint32_t>(std::stoul(text, nullptr, 16)), *of));
  }
  return items;
}

Result<Block> parse_registers(const Json& json) {
  const Json* name = given(json, "table");
  const Json* address = given(json, "address");
  const Json* count = given(json, "count");
  if (!name || !address || !count) {
    return invalid(R"(registers must be an object like {"table":"holding","address":0,"count":10})");
  }
  const auto* const table =
      std::find_if(kTables.begin(), kTables.end(), [&](const auto& t) { return name->as_text() == t.first; });
  if (table == kTables.end()) return invalid("table of registers must be coil, discrete, input or holding");
  const auto first = address->as_integer(0, kAddresses - 1);
  if (!first) return invalid("address of registers must be a whole number from 0 to 65535");
  const Json* bytes = given(json, "register_bytes");
  const auto wide = bytes ? bytes->as_integer(kRegisterBytes, 2 * kRegisterBytes) : kRegisterBytes;
  if (!wide || *wide % kRegisterBytes != 0 || (bytes && is_bits(table->second))) {
    return invalid("register_bytes is 2 or 4, for input and holding");
  }
  const int most = most_per_request(table->second, static_cast<int>(*wide));
  const auto many = count->as_integer(1, most);
  if (!many) {
    return invalid("count of registers must be a whole number from 1 to " + std::to_string(most) + " for " +
                   table->first);
  }
  if (*first + *many > kAddresses)
    return invalid("registers must end at 65535 or before: address + count is at most 65536");
  return Block{table->second, static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*many),
               static_cast<int>(*wide)};
}

std::optional<RemoteText> remote_text_of(const Json& object) {
  RemoteText change;
  const Json* text = given(object, "text");
  if (!text || !text->is(Json::Kind::kText)) return std::nullopt;
  change.text = text->text;
  const Json* files = given(object, "files");
  if (!files) return change;
  if (!files->is(Json::Kind::kObject)) return std::nullopt;
  for (std::size_t i = 0; i < files->items.size(); ++i) {
    if (!files->items[i].is(Json::Kind::kText)) return std::nullopt;
    change.files[files->names[i]] = files->items[i].text;
  }
  return change;
}

const char* op_name(Command::Op op) {
  return std::find_if(kOps.begin(), kOps.end(), [&](const auto& o) { return o.second == op; })->first;
}

std::variant<Command, BadCommand> parse_command(std::string_view payload) {
  if (payload.size() > kMaxCommandBytes) {
    return unreadable("a command is at most " + std::to_string(kMaxCommandBytes) + " bytes, this has " +
                      std::to_string(payload.size()));
  }
  auto json = parse_json(payload);
  std::optional<Refusal> too_much;
  if (!json) {
    const std::string why = "a command must be a JSON object: " + json.error().detail;
    too_much = bad_command(why);
    json = parse_json_outline(payload);
    if (!json) return unreadable(why);
  }
  if (!json->is(Json::Kind::kObject))
    return unreadable(R"(a command must be a JSON object like {"id":"c-1","op":"status"})");
  const Json* id = json->find("id");
  if (!id || !id->is(Json::Kind::kText) || !is_id(id->text)) {
    return unreadable("id must be a text of 1 to 128 ASCII characters without blanks");
  }
  if (too_much) return refused(*json, id->text, *too_much);
  Command command;
  command.id = id->text;
  if (auto refusal = fill(*json, command)) return refused(*json, command.id, std::move(*refusal));
  return command;
}

}  // namespace metergate
