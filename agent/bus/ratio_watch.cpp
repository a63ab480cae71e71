#include "agent/bus/ratio_watch.h"

#include <algorithm>

namespace metergate {

RatioWatch::RatioWatch(const Profile& profile) {
  for (const char* name : {"ct_ratio", "pt_ratio", "ct_primary", "ct_secondary", "pt_primary", "pt_secondary"}) {
    if (const Point* point = profile.find(name)) ratios_.push_back({point, ""});
  }
}

std::vector<const Point*> RatioWatch::points() const {
  std::vector<const Point*> points;
  for (const Ratio& ratio : ratios_) points.push_back(ratio.point);
  return points;
}

bool RatioWatch::answered_in(const PollJob& job) const {
  return !ratios_.empty() &&
         std::all_of(ratios_.begin(), ratios_.end(), [&](const Ratio& r) { return job.fresh(*r.point) != nullptr; });
}

std::vector<RatioWatch::Change> RatioWatch::take(const PollJob& job) {
  std::vector<Change> changes;
  for (Ratio& ratio : ratios_) {
    const Value* value = job.fresh(*ratio.point);
    if (value == nullptr || !value->number || value->text == ratio.last) continue;
    changes.push_back({ratio.point->name, std::exchange(ratio.last, value->text), value->text});
  }
  return changes;
}

std::string RatioWatch::text() const {
  std::string out;
  for (const Ratio& ratio : ratios_) {
    if (!ratio.last.empty()) out += " " + ratio.point->name + "=" + ratio.last;
  }
  return out;
}

void RatioWatch::restore(const std::string& name, const std::string& value) {
  for (Ratio& ratio : ratios_) {
    if (ratio.point->name == name) ratio.last = value;
  }
}

}  // namespace metergate
