#include "agent/cli/profile_match.h"

#include <algorithm>
#include <tuple>

#include "drivers/profile/plan.h"

namespace metergate {

namespace {

constexpr int kPatience = 3;  // unanswered requests to a table, one after the other

enum class Verdict { kFits, kAbsent, kWrong };

/// Quantities whose values lie in a known range on any meter: they tell one register map from another.
struct TypicalRange {
  const char* point;
  int least, most;
  bool strict;  ///< a value outside is wrong; else it proves nothing
};
constexpr TypicalRange kTypicalRanges[] = {
    {"voltage_l1", 80, 300, true},     {"voltage_l2", 80, 300, true},     {"voltage_l3", 80, 300, true},
    {"frequency", 45, 65, true},       {"power_factor", -1, 1, false},    {"power_factor_l1", -1, 1, false},
    {"power_factor_l2", -1, 1, false}, {"power_factor_l3", -1, 1, false},
};

/// Phases that carry no voltage, and a power factor without a load, are 0 or not available.
bool is_nothing(const std::optional<Value>& value) {
  return value && (value->form == Value::Form::kNull || (value->number && *value->number == Decimal()));
}

Verdict judge(const TypicalRange& range, const std::optional<Value>& value) {
  const bool phase_one = std::string(range.point) == "voltage_l1" || std::string(range.point) == "frequency";
  if (is_nothing(value)) return phase_one ? Verdict::kWrong : Verdict::kAbsent;
  const bool within =
      value && value->number && !(*value->number < Decimal(range.least)) && !(Decimal(range.most) < *value->number);
  if (within) return Verdict::kFits;
  return range.strict ? Verdict::kWrong : Verdict::kAbsent;
}

std::optional<Candidate> judge(ProbedUnit& unit, const Profile& profile) {
  Candidate candidate;
  candidate.profile = &profile;
  if (profile.identify) {
    const auto name = unit.value(profile, profile.identify->point);
    if (!name || name->text != profile.identify->text) return std::nullopt;
    candidate.identified = true;
  } else if (profile.find("voltage_l1") == nullptr) {
    return std::nullopt;
  }
  for (const TypicalRange& range : kTypicalRanges) {
    const Point* point = profile.find(range.point);
    if (point == nullptr) continue;
    const auto value = unit.value(profile, *point);
    const Verdict verdict = judge(range, value);
    if (verdict == Verdict::kWrong && !candidate.identified) return std::nullopt;
    candidate.wrong += verdict == Verdict::kWrong ? 1 : 0;
    candidate.absent += verdict == Verdict::kAbsent ? 1 : 0;
    if (verdict != Verdict::kFits) continue;
    ++candidate.fitting;
    candidate.seen.push_back(point->name + " " + value->text + (point->unit.empty() ? "" : " " + point->unit));
  }
  return candidate;
}

/// Smaller is likelier.
std::tuple<bool, int, int, int> order_of(const Candidate& c) { return {!c.identified, c.wrong, -c.fitting, c.absent}; }

}  // namespace

bool ProbedUnit::fetch(const Profile& profile, const Block& block) {
  if (image_.has(block)) return true;
  const auto key = std::pair{block.table, std::pair{block.address, block.count}};
  if (lost_ || refused_.count(key) != 0 || unanswered_[block.table] >= kPatience) return false;
  Target target;
  target.address = address_;
  target.timeout = timeout_;
  target.gap = profile.pause;
  Result<Words> words = bus_.read(target, block);
  const bool damaged = !words && (words.error().code == Errc::kCrc || words.error().code == Errc::kGarbled);
  if (damaged) words = bus_.read(target, block);
  int& unanswered = unanswered_[block.table];
  const bool silent = !words && words.error().code == Errc::kTimeout;
  unanswered = silent ? unanswered + 1 : 0;
  if (words) {
    image_.put(block, *words);
    gave_registers_ = true;
    return true;
  }
  if (words.error().code == Errc::kBusDown) lost_ = words.error();
  refused_.insert(key);
  return false;
}

std::optional<Value> ProbedUnit::value(const Profile& profile, const Point& point) {
  for (const Point* each : with_dependencies(profile, {&point})) {
    for (const Block& block : registers_of(*each)) {
      if (!fetch(profile, block)) return std::nullopt;
    }
  }
  const auto decoded = decode(profile, point, image_, {});
  if (!decoded) return std::nullopt;
  return decoded->value;
}

std::vector<Candidate> match_profiles(ProbedUnit& unit, const std::vector<const Profile*>& profiles) {
  std::vector<Candidate> candidates;
  for (const Profile* profile : profiles) {
    if (unit.lost()) break;
    if (auto candidate = judge(unit, *profile)) candidates.push_back(std::move(*candidate));
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return order_of(a) < order_of(b); });
  return candidates;
}

bool alike(const Candidate& a, const Candidate& b) { return order_of(a) == order_of(b); }

}  // namespace metergate
