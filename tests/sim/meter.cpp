#include "tests/sim/meter.h"

#include <algorithm>
#include <cmath>

#include "tests/sim/text.h"

namespace metersim {
namespace {

constexpr std::uint8_t kIllegalFunction = 1, kIllegalAddress = 2, kIllegalValue = 3;
constexpr std::uint32_t kCountersPerUnit = 10000000;  // so that no two units ever serve one number

std::uint16_t next(std::uint16_t address, std::size_t by) { return static_cast<std::uint16_t>(address + by); }

}  // namespace

void Meter::load(const ProfileFile& profile) {
  for (const auto& point : profile.points) {
    try {
      points_.push_back({PointValue(profile, point, settings_.unit), {}});
    } catch (const Refused& why) {
      throw Refused(point.name + ": " + why.what());
    }
  }
  refresh(0);  // makes the registers, so that a wrong point is told now
  if (const auto words = words_in_line(profile.key("identify")); words.size() == 4) identify(words, profile);
  for (const auto& point : profile.points)
    if (!point.key("write").empty()) mirror(profile, point);
}

void Meter::identify(const std::vector<std::string>& words, const ProfileFile& profile) {
  FilePoint point;
  point.table = parse_table(words[0]);
  point.addresses = {static_cast<std::uint16_t>(whole_number(words[1], 0, 65535, "identify"))};
  point.type = words[2];
  point.order = profile.key("order", "ABCD");
  const bool text = point.type == "string";
  if (text) point.keys["registers"] = std::to_string((words[3].size() + 1) / 2);
  point.registers = registers_of(point);
  const Field field = text ? encode_string(point, words[3])
                           : encode_whole(point, whole_number(words[3], INT64_MIN, INT64_MAX, "identify"));
  for (const auto& each : field.registers) cells_[{point.table, each.address}] = {each.value, true};
}

/// A point may be written at one address and seen at others: its own and that of the point that verifies it.
void Meter::mirror(const ProfileFile& profile, const FilePoint& point) {
  const bool coil = point.key("write").rfind("coil", 0) == 0;
  const Table table = coil ? Table::kCoil : Table::kHolding;
  const auto from = static_cast<std::uint16_t>(point.number("write_address", point.addresses[0]));
  for (const FilePoint* shown : {&point, profile.find(point.key("verify"))}) {
    if (shown == nullptr) continue;
    for (std::size_t i = 0; i < static_cast<std::size_t>(shown->registers); ++i) {
      const Key source{table, next(from, i)}, target{shown->table, next(shown->addresses[0], i)};
      cells_.insert({source, cells_[target]});
      if (source != target) mirrors_[source].push_back(target);
    }
  }
}

void Meter::add_register(Table table, std::uint16_t address, std::uint16_t value) {
  const bool bit = table == Table::kCoil || table == Table::kDiscrete;
  cells_[{table, address}] = {static_cast<std::uint16_t>(bit ? value & 1U : value), false};
}

void Meter::set_counter(Table table, std::uint16_t address) {
  counter_ = {table, address};
  cells_[{table, address}] = cells_[{table, next(address, 1)}] = {0, true};
}

void Meter::pin(Table table, std::uint16_t address, std::uint16_t value) {
  const auto cell = cells_.find({table, address});
  if (cell == cells_.end())
    throw Refused("unit " + std::to_string(settings_.unit) + " has no " + table_name(table) + " " +
                  std::to_string(address));
  cell->second = {value, true};
}

void Meter::unpin() {
  for (auto& [key, cell] : cells_) cell.pinned = false;
  shown_second_ = -1;
}

void Meter::refresh(double seconds) {
  const auto second = static_cast<std::int64_t>(seconds);
  if (second == shown_second_) return;
  shown_second_ = second;
  for (auto& point : points_) {
    point.now = point.value.at(static_cast<double>(second));
    for (const auto& each : point.now.registers) {
      Cell& cell = cells_[{point.value.point().table, each.address}];
      if (!cell.pinned) cell.value = static_cast<std::uint16_t>((cell.value & ~each.mask) | each.value);
    }
  }
}

bool Meter::readable(Table table, int address, int count) const {
  int missing = 0;
  for (int at = address; at < address + count; ++at) {
    const Key key{table, static_cast<std::uint16_t>(at)};
    const auto cell = cells_.lower_bound(key);
    if (cell != cells_.end() && cell->first == key) {
      missing = 0;
      continue;
    }
    const bool below = cell != cells_.begin() && std::prev(cell)->first.first == table;
    const bool above = cell != cells_.end() && cell->first.first == table;
    ++missing;
    if (!below || !above || (settings_.hole && missing > *settings_.hole)) return false;
  }
  return true;
}

bool Meter::cuts_a_point(Table table, int address, int count) const {
  const auto inside = [&](const Field::Register& each) {
    return each.address >= address && each.address < address + count;
  };
  return std::any_of(points_.begin(), points_.end(), [&](const Point& point) {
    const auto& registers = point.now.registers;
    const auto read = std::count_if(registers.begin(), registers.end(), inside);
    return point.value.point().table == table && read != 0 && read != static_cast<std::ptrdiff_t>(registers.size());
  });
}

std::uint16_t Meter::value_at(Table table, int address) const {
  const auto cell = cells_.find({table, static_cast<std::uint16_t>(address)});
  return cell == cells_.end() ? std::uint16_t{0} : cell->second.value;
}

Bytes Meter::answer(const Bytes& pdu, double seconds, Served& served) {
  refresh(seconds);
  const std::uint8_t function = pdu[0];
  const bool known = (function >= 1 && function <= 6) || function == 15 || function == 16;
  if (!known) return exception_pdu(function, kIllegalFunction);
  if (pdu.size() < 5) return exception_pdu(function, kIllegalValue);
  return function <= 4 ? read(pdu, served) : write(pdu, served);
}

Bytes Meter::read(const Bytes& pdu, Served& served) {
  static constexpr Table kByFunction[] = {Table::kCoil, Table::kDiscrete, Table::kHolding, Table::kInput};
  const std::uint8_t function = pdu[0];
  const Table table = kByFunction[function - 1];
  const bool bits = function <= 2;
  const int address = word_at(pdu, 1), count = word_at(pdu, 3);
  if (count < 1 || count > (bits ? 2000 : settings_.max_registers)) return exception_pdu(function, kIllegalValue);
  if (address + count > 65536 || !readable(table, address, count) ||
      (settings_.align && cuts_a_point(table, address, count)))
    return exception_pdu(function, kIllegalAddress);
  count_poll(table, address, count, served);
  note_values(table, address, count, served);
  Bytes answer{function, static_cast<std::uint8_t>(bits ? (count + 7) / 8 : 2 * count)};
  if (bits) answer.resize(2U + static_cast<std::size_t>((count + 7) / 8));
  for (int i = 0; i < count; ++i) {
    const std::uint16_t value = value_at(table, address + i);
    if (bits)
      answer[2U + static_cast<std::size_t>(i / 8)] |=
          static_cast<std::uint8_t>((value & 1U) << static_cast<unsigned>(i % 8));
    else
      append_word(answer, value);
  }
  return answer;
}

void Meter::count_poll(Table table, int address, int count, Served& served) {
  if (!counter_ || counter_->first != table) return;
  if (counter_->second < address || counter_->second + 2 > address + count) return;
  const std::uint32_t value = static_cast<std::uint32_t>(settings_.unit) * kCountersPerUnit + ++polls_;
  cells_[*counter_].value = static_cast<std::uint16_t>(value >> 16U);
  cells_[{table, next(counter_->second, 1)}].value = static_cast<std::uint16_t>(value & 0xFFFFU);
  served.counter = value;
}

void Meter::note_values(Table table, int address, int count, Served& served) const {
  for (const auto& point : points_) {
    if (point.value.point().table != table) continue;
    const auto& registers = point.now.registers;
    const bool whole = std::all_of(registers.begin(), registers.end(), [&](const auto& each) {
      const auto cell = cells_.find({table, each.address});
      return each.address >= address && each.address < address + count && !cell->second.pinned;
    });
    if (whole) served.values.emplace_back(point.value.point().name, point.now.json);
  }
}

Bytes Meter::write(const Bytes& pdu, Served& served) {
  const std::uint8_t function = pdu[0];
  const int address = word_at(pdu, 1);
  const unsigned word = word_at(pdu, 3);
  const bool many = function >= 15;
  const Table table = function == 5 || function == 15 ? Table::kCoil : Table::kHolding;
  std::vector<std::uint16_t> values;
  if (function == 5) {
    if (word != 0 && word != 0xFF00) return exception_pdu(function, kIllegalValue);
    values.push_back(word == 0 ? 0 : 1);
  } else if (function == 6) {
    values.push_back(static_cast<std::uint16_t>(word));
  } else {
    const std::size_t bytes = function == 15 ? (word + 7) / 8 : 2 * word;
    if (word < 1 || word > (function == 15 ? 1968U : 123U) || pdu.size() != 6 + bytes || pdu[5] != bytes)
      return exception_pdu(function, kIllegalValue);
    for (std::size_t i = 0; i < word; ++i)
      values.push_back(function == 15 ? static_cast<std::uint16_t>(pdu[6 + i / 8] >> (i % 8) & 1U)
                                      : word_at(pdu, 6 + 2 * i));
  }
  if (!many && pdu.size() != 5) return exception_pdu(function, kIllegalValue);
  if (!store(table, address, values)) return exception_pdu(function, kIllegalAddress);
  for (std::size_t i = 0; i < values.size(); ++i)
    served.values.emplace_back(std::to_string(static_cast<std::size_t>(address) + i), std::to_string(values[i]));
  return Bytes(pdu.begin(), pdu.begin() + 5);
}

bool Meter::store(Table table, int address, const std::vector<std::uint16_t>& values) {
  const auto key = [&](std::size_t i) {
    return Key{table, static_cast<std::uint16_t>(static_cast<std::size_t>(address) + i)};
  };
  for (std::size_t i = 0; i < values.size(); ++i)
    if (static_cast<std::size_t>(address) + i > 65535 || cells_.count(key(i)) == 0) return false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    cells_[key(i)] = {values[i], true};
    ++writes_[key(i)];
    if (const auto shown = mirrors_.find(key(i)); shown != mirrors_.end())
      for (const Key& other : shown->second) cells_[other] = {values[i], true};
  }
  return true;
}

}  // namespace metersim
