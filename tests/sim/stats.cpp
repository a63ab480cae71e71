#include "tests/sim/stats.h"

#include <algorithm>
#include <cstdio>

#include "tests/sim/text.h"

namespace metersim {
namespace {

class Object {
 public:
  Object& put(const std::string& name, const std::string& json) {
    text_ += (text_.size() == 1 ? "" : ",") + json_string(name) + ':' + json;
    return *this;
  }
  Object& put(const std::string& name, std::int64_t number) { return put(name, std::to_string(number)); }
  Object& put(const std::string& name, double number) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4f", number);
    return put(name, std::string(text));
  }
  std::string text() const { return text_ + '}'; }

 private:
  std::string text_ = "{";
};

double ratio(Nanos a, Nanos b) { return b > 0 ? static_cast<double>(a) / static_cast<double>(b) : 0; }

std::string line_json(const LineStats& line) {
  const Nanos elapsed = line.first < 0 ? 0 : line.last - line.first;
  return Object()
      .put("requests", line.requests)
      .put("answers", line.answers)
      .put("t35_violations", line.violations)
      .put("crc_errors", line.crc_errors)
      .put("dropped", line.dropped)
      .put("late", line.late)
      .put("overruns", line.overruns)
      .put("wire_busy_us", line.busy / kMicrosecond)
      .put("ideal_us", line.ideal / kMicrosecond)
      .put("elapsed_us", elapsed / kMicrosecond)
      .put("polls_per_s", ratio(line.answers * kSecond, elapsed))
      .put("ideal_polls_per_s", ratio(line.answers * kSecond, line.ideal))
      .put("utilisation", ratio(line.ideal, elapsed))
      .put("jitter_us", line.jitter.json())
      .put("gap_us", line.gap.json())
      .text();
}

std::string unit_json(const UnitStats& unit, const Meter* meter) {
  Object writes;
  if (meter != nullptr)
    for (const auto& [key, count] : meter->writes())
      writes.put(std::string(table_name(key.first)) + ':' + std::to_string(key.second), count);
  return Object()
      .put("requests", unit.requests)
      .put("answers", unit.answers)
      .put("exceptions", unit.exceptions)
      .put("dropped", unit.dropped)
      .put("late", unit.late)
      .put("t35_violations", unit.violations)
      .put("writes", writes.text())
      .text();
}

}  // namespace

void Spread::add(Nanos value) {
  sum += value;
  most = std::max(most, value);
  ++count;
}

std::string Spread::json() const {
  return Object()
      .put("mean", ratio(sum, count) / static_cast<double>(kMicrosecond))
      .put("max", most / kMicrosecond)
      .put("count", count)
      .text();
}

std::string Stats::json(const std::map<int, Meter>& meters) const {
  Object of_lines, of_units;
  for (const auto& [name, line] : lines) of_lines.put(name, line_json(line));
  for (const auto& [number, unit] : units) {
    const auto meter = meters.find(number);
    of_units.put(std::to_string(number), unit_json(unit, meter == meters.end() ? nullptr : &meter->second));
  }
  return Object().put("lines", of_lines.text()).put("units", of_units.text()).text();
}

}  // namespace metersim
