#include "agent/bus/unsupported_points.h"

#include <algorithm>

#include "agent/base/text.h"
#include "drivers/bus_error.h"
#include "drivers/profile/plan.h"

namespace metergate {

namespace {

constexpr int kLastAddress = 65'535;
constexpr int kLastTable = static_cast<int>(Table::kItem);

/// Whether reading `block` reads these registers, or crosses this place.
bool holds(const Block& block, const Block& registers) {
  if (block.table != registers.table || block.item != registers.item) return false;
  const int end = block.address + block.count;
  if (registers.count == 0) return block.address < registers.address && registers.address < end;
  return block.address <= registers.address && registers.address + registers.count <= end;
}

}  // namespace

void UnsupportedPoints::refused(const Block& registers, int exception, MonoTime now) {
  if (std::find(learned_.begin(), learned_.end(), registers) != learned_.end()) return;
  const auto same = [&registers](const Entry& e) { return e.registers == registers; };
  auto it = std::find_if(suspects_.begin(), suspects_.end(), same);
  if (it == suspects_.end()) it = suspects_.insert(suspects_.end(), {registers, exception, 0, now});
  it->exception = exception;
  if (++it->times < kTimes || now - it->first < kOver) return;
  learn(*it, now);
  suspects_.erase(it);
}

void UnsupportedPoints::learn(const Entry& entry, MonoTime since) {
  since_ = learned_.empty() ? since : std::min(since_, since);
  learned_.push_back(entry.registers);
  exceptions_.push_back(entry.exception);
  changed_ = true;
}

void UnsupportedPoints::answered(const Block& block) {
  const auto shown = [&block](const Entry& e) { return holds(block, e.registers); };
  suspects_.erase(std::remove_if(suspects_.begin(), suspects_.end(), shown), suspects_.end());
  // It is not as it was when it refused this, so the rest is asked again too.
  if (std::any_of(learned_.begin(), learned_.end(), [&block](const Block& b) { return holds(block, b); })) forget();
}

void UnsupportedPoints::in_vain(const Block& block, MonoTime now) {
  const auto over = [now](const auto& pair) { return now >= pair.second; };
  in_vain_.erase(std::remove_if(in_vain_.begin(), in_vain_.end(), over), in_vain_.end());
  in_vain_.emplace_back(block, now + kSearchPause);
}

bool UnsupportedPoints::worth_splitting(const Block& block, MonoTime now) const {
  return std::none_of(in_vain_.begin(), in_vain_.end(),
                      [&](const auto& pair) { return pair.first == block && now < pair.second; });
}

void UnsupportedPoints::forget() {
  changed_ = changed_ || !learned_.empty();
  suspects_.clear();
  in_vain_.clear();
  learned_.clear();
  exceptions_.clear();
}

void UnsupportedPoints::forget_old(MonoTime now) {
  if (!learned_.empty() && now - since_ >= kKept) forget();
}

int UnsupportedPoints::exception_of(const Point& point) const {
  if (learned_.empty()) return 0;
  for (const Point* needed : with_dependencies(profile_, {&point})) {
    for (const Block& registers : registers_of(*needed)) {
      for (std::size_t i = 0; i < learned_.size(); ++i) {
        if (overlaps(learned_[i], registers)) return exceptions_[i];
      }
    }
  }
  return 0;
}

std::vector<std::pair<std::string, int>> UnsupportedPoints::points() const {
  std::vector<std::pair<std::string, int>> out;
  for (const Point& point : profile_.points) {
    if (const int exception = exception_of(point)) out.emplace_back(point.name, exception);
  }
  return out;
}

/// `DIGEST SINCE_MS TABLE:ADDRESS:COUNT:EXCEPTION[:ITEM] ...`
std::string UnsupportedPoints::text(MonoTime now, UtcTime utc) const {
  if (learned_.empty()) return "";
  const auto age = std::chrono::duration_cast<Millis>(now - since_);
  std::string out = profile_.digest + " " + std::to_string(to_ms(utc - age));
  for (std::size_t i = 0; i < learned_.size(); ++i) {
    const Block& b = learned_[i];
    out += " " + std::to_string(static_cast<int>(b.table)) + ":" + std::to_string(b.address) + ":" +
           std::to_string(b.count) + ":" + std::to_string(exceptions_[i]);
    if (b.table == Table::kItem) out += ":" + std::to_string(b.item);
  }
  return out;
}

void UnsupportedPoints::restore(const std::string& text, MonoTime now, UtcTime utc) {
  const auto parts = split(text, ' ');
  if (parts.size() < 3 || parts[0] != profile_.digest) return;
  const auto since = parse_integer(parts[1], 0, to_ms(UtcTime::max()));
  if (!since) return;
  const Millis age = std::max(Millis{0}, utc - from_ms(*since));  // a clock that was set back makes nothing older
  if (age >= kKept) return;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    const auto numbers = split(parts[i], ':');
    if (numbers.size() != 4 && numbers.size() != 5) continue;
    const auto table = parse_integer(numbers[0], 0, kLastTable);
    const auto address = parse_integer(numbers[1], 0, kLastAddress);
    const auto count = parse_integer(numbers[2], 0, kLastAddress);
    const auto exception = parse_integer(numbers[3], 1, kLastException);
    const auto item = parse_integer(numbers.size() == 5 ? numbers[4] : "0", 0, UINT32_MAX);
    if (!table || !address || !count || !exception || !item) continue;
    const Block registers{
        static_cast<Table>(*table), static_cast<std::uint16_t>(*address), static_cast<std::uint16_t>(*count),
        *table == kLastTable ? item_width(profile_.family) : kRegisterBytes, static_cast<std::uint32_t>(*item)};
    learn({registers, static_cast<int>(*exception), 0, now}, now - age);
  }
  changed_ = false;
}

}  // namespace metergate
