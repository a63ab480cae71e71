#include "store/sqlite/counted_losses.h"

#include <algorithm>

namespace metergate {

namespace {

using Property = StoreProperties::Property;

constexpr std::size_t kMaxMeters = 100;
constexpr std::size_t kMaxLossText = 1024;
constexpr std::size_t kFirstIds = 10;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// Adds a line if the text stays within its bounds and does not have it yet.
void add_line(std::string& text, const std::string& line, std::size_t max_bytes, std::size_t max_lines) {
  const auto lines = lines_of(text);
  if (lines.size() >= max_lines || text.size() + line.size() + 1 > max_bytes) return;
  if (std::find(lines.begin(), lines.end(), line) == lines.end()) text += line + "\n";
}

}  // namespace

void LostReadings::add(const LostReadings& more) {
  if (more.count == 0) return;
  from = count == 0 ? more.from : std::min(from, more.from);
  to = count == 0 ? more.to : std::max(to, more.to);
  if (count == 0) why = more.why;
  count += more.count;
  for (const std::string& meter : more.meters) {
    if (meters.size() < kMaxMeters) meters.insert(meter);
  }
}

void CountedLosses::counted(Counters::LossCount& losses, std::int64_t count, UtcTime from, UtcTime to) {
  const bool first = losses.untold() == 0;
  losses.from_ms = first ? to_ms(from) : std::min(losses.from_ms, to_ms(from));
  losses.to_ms = first ? to_ms(to) : std::max(losses.to_ms, to_ms(to));
  losses.count += count;
  // A key of its own: by it a commit that failed is known to have reached the file all the same, and nothing is counted
  // twice.
  ++counters_.next_key;
  counters_.unsaved = true;
}

void CountedLosses::add(const LostReadings& lost) {
  if (lost.count == 0) return;
  std::string text = counters_.lost.untold() == 0 ? "" : properties_.get(Property::kLostReadings).value_or("");
  counted(counters_.lost, lost.count, lost.from, lost.to);
  const std::string before = text;
  if (text.empty()) text = lost.why + "\n";
  for (const std::string& meter : lost.meters) add_line(text, meter, kMaxLossText, kMaxMeters + 1);
  if (text != before) properties_.set(Property::kLostReadings, text);
}

void CountedLosses::add_refused(const std::string& command_id, UtcTime at) {
  std::string text = counters_.refused.untold() == 0 ? "" : properties_.get(Property::kRefusedCommands).value_or("");
  counted(counters_.refused, 1, at, at);
  const std::string before = text;
  add_line(text, command_id, std::string::npos, kFirstIds);
  if (text != before) properties_.set(Property::kRefusedCommands, text);
}

bool CountedLosses::untold() const { return counters_.lost.untold() > 0 || counters_.refused.untold() > 0; }

std::vector<Draft> CountedLosses::tell(const RecordFormat& format, UtcTime now) {
  std::vector<Draft> events;
  if (Counters::LossCount& lost = counters_.lost; lost.untold() > 0) {
    auto lines = lines_of(properties_.get(Property::kLostReadings).value_or(""));
    const std::string why = lines.empty() ? "" : lines.front();
    if (!lines.empty()) lines.erase(lines.begin());
    events.push_back(format.lost(lost.untold(), lines, from_ms(lost.from_ms), from_ms(lost.to_ms), why, now));
    lost.told = lost.count;
  }
  if (Counters::LossCount& refused = counters_.refused; refused.untold() > 0) {
    const auto ids = lines_of(properties_.get(Property::kRefusedCommands).value_or(""));
    events.push_back(format.refused(refused.untold(), ids, from_ms(refused.from_ms), from_ms(refused.to_ms), now));
    refused.told = refused.count;
  }
  if (!events.empty()) counters_.unsaved = true;
  return events;
}

}  // namespace metergate
