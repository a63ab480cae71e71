#include "agent/cli/read_print.h"

#include <array>
#include <cstdio>

#include "agent/base/json.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/cli/text_table.h"
#include "agent/config/bus_description.h"
#include "agent/protocol/catalog.h"
#include "drivers/profile/plan.h"

namespace metergate {

namespace {

std::string shown(const Value& value) { return value.form == Value::Form::kNull ? "not available" : value.text; }

std::string flags_of(const Reading& reading, const std::string& point) {
  std::string text;
  for (const auto& [name, flags] : reading.flags) {
    if (name != point) continue;
    for (const std::string& flag : flags) text += (text.empty() ? "" : ", ") + flag;
  }
  return text;
}

std::string where(const BusSpec& bus, const MeterConfig& meter) {
  return "meter " + meter.spec.id + ", " + describe_place(meter.spec) + " on " +
         describe_port(bus.settings, meter.target);
}

std::int64_t milliseconds(Micros time) { return std::chrono::round<Millis>(time).count(); }

/// What the point was made of; empty where that is not known.
Words words_of(const RegisterImage& image, const Point& point) {
  Words words;
  if (point.in_block && image.get(*point.in_block, &words)) return words;
  for (const Block& block : registers_of(point)) {
    if (!image.get(block, &words)) return {};
  }
  return words;
}

std::string hex(std::uint16_t word) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "0x%04X", static_cast<unsigned>(word));
  return text.data();
}

/// `input 52: 4366 199A`.
std::string raw_of(const RegisterImage& image, const Point& point) {
  const Words words = words_of(image, point);
  std::string text = table_name(point.table);
  for (const Block& place : point.places) text += (&place == &point.places.front() ? " " : "+") + item_name(place);
  for (std::size_t i = 0; i < point.addresses.size(); ++i)
    text += (i == 0 ? " " : "+") + std::to_string(point.addresses[i]);
  text += ":";
  const std::size_t zeros = point.table == Table::kItem ? 4 : 2;  // of a byte, of a word
  for (const std::uint16_t word : words) text += " " + hex(word).substr(zeros);
  return words.empty() ? "" : text;
}

}  // namespace

void print_reading(const MeterReading& read, const BusSpec& bus, const MeterConfig& meter, bool json,
                   std::ostream& out) {
  const Reading& reading = read.reading;
  if (json) {
    JsonWriter more;
    more.member("took_ms", milliseconds(read.took)).key("registers").begin_object();
    for (const auto& [name, value] : reading.values) {
      more.key(name).begin_array();
      for (const std::uint16_t word : words_of(read.image, *meter.profile->find(name))) more.number(word);
      more.end_array();
    }
    out << "{" << reading_draft(reading, false).body << "," << more.end_object().take() << "}" << std::endl;
    return;
  }
  if (reading.error) return;  // told by the caller, with its causes
  out << where(bus, meter) << ", profile " << meter.spec.profile << ", " << rfc3339(reading.stamp.at) << ", "
      << milliseconds(read.took) << " ms\n";
  TextTable table({"POINT", "VALUE", "UNIT", "OBIS", "REGISTERS", ""}, {1});
  for (const auto& [name, value] : reading.values) {
    const Point& point = *meter.profile->find(name);
    table.add({name, shown(value), point.unit, point.obis, raw_of(read.image, point), flags_of(reading, name)});
  }
  for (const auto& [name, failure] : reading.errors) {
    const Point& point = *meter.profile->find(name);
    table.add({name, "-", point.unit, point.obis, "", failure.code + ": " + failure.message});
  }
  table.print(out);
}

void print_registers(const RawRead& read, const Result<Words>& words, bool json, std::ostream& out) {
  if (json) {
    JsonWriter object;
    object.begin_object()
        .member("at", rfc3339(read.stamp.at))
        .member("clock", std::string(read.stamp.synced ? "synced" : "unsynced"));
    object.member("took_ms", milliseconds(read.took)).member("bus", read.bus.name);
    write_place(object, read.meter.spec);
    if (read.block.table == Table::kItem) {
      object.member("item", item_name(read.block));
    } else {
      object.member("table", std::string(table_name(read.block.table))).member("address", read.block.address);
    }
    if (words) {
      object.key("registers").begin_array();
      for (const std::uint16_t word : *words) object.number(word);
      object.end_array();
    } else {
      const Failure failure = failure_of(words.error());
      object.key("error").begin_object().member("code", failure.code).member("message", failure.message).end_object();
    }
    out << object.end_object().take() << std::endl;
    return;
  }
  if (!words) return;
  out << where(read.bus, read.meter) << ", " << describe_block(read.block) << ", " << rfc3339(read.stamp.at) << ", "
      << milliseconds(read.took) << " ms\n";
  if (read.block.table == Table::kItem) {
    for (const std::uint16_t byte : *words) out << hex(byte).substr(4) << " ";
    out << "\n";
    return;
  }
  const bool bits = is_bits(read.block.table);
  TextTable table(bits ? std::vector<std::string>{"ADDRESS", "VALUE"}
                       : std::vector<std::string>{"ADDRESS", "HEX", "UNSIGNED", "SIGNED"},
                  {0, 1, 2, 3});
  for (std::size_t i = 0; i < words->size(); ++i) {
    const std::uint16_t word = (*words)[i];
    const std::string address = std::to_string(read.block.address + i);
    if (bits) {
      table.add({address, std::to_string(word)});
    } else {
      table.add({address, hex(word), std::to_string(word), std::to_string(static_cast<std::int16_t>(word))});
    }
  }
  table.print(out);
}

}  // namespace metergate
