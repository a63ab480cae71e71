#include "drivers/profile/profile_check.h"

#include <algorithm>

#include "drivers/profile/decode.h"
#include "drivers/profile/encode.h"
#include "drivers/profile/profile_tokens.h"

namespace metergate {

namespace {

constexpr int kDeepest = 3;  // each step may branch three ways

struct Reference {
  const char* key;
  const std::string* name;
};

std::vector<Reference> references_of(const Point& point) {
  std::vector<Reference> references;
  for (const Reference& reference : {Reference{"exponent", &point.exponent_point},
                                     Reference{"times", &point.times_point}, Reference{"sign", &point.sign_point}}) {
    if (!reference.name->empty()) references.push_back(reference);
  }
  return references;
}

bool is_number(const Point& point) { return point.type != PointType::kString && point.type != PointType::kTime; }

/// Whether the points that scale `point`, and those that scale them, and so on, end within `depth` steps. A circle
/// never does.
bool ends(const Profile& profile, const Point& point, int depth) {
  const auto references = references_of(point);
  return std::all_of(references.begin(), references.end(), [&](const Reference& reference) {
    const Point* next = profile.find(*reference.name);
    return next == nullptr || (depth > 0 && ends(profile, *next, depth - 1));
  });
}

Status check_references(const Profile& profile, const Point& point) {
  for (const Reference& reference : references_of(point)) {
    const Point* other = profile.find(*reference.name);
    const std::string offending = std::string(reference.key) + "=" + *reference.name;
    if (other == nullptr) return wrong(offending, "no such point" + hint(*reference.name, profile.point_names()));
    if (!is_number(*other)) return wrong(offending, "that point is no number");
  }
  return {};
}

Status check_write(const Profile& profile, const Point& point) {
  const WriteRule& rule = *point.write;
  if (!rule.verify.empty() && profile.find(rule.verify) == nullptr) {
    return wrong("verify=" + rule.verify, "no such point" + hint(rule.verify, profile.point_names()));
  }
  // What fits behind a transformer only --meter's ratio tells.
  if (point.ratio != Ratio::kNone) return {};
  for (const Decimal& allowed : rule.allow) {
    const Value value{Value::Form::kNumber, allowed.text(), allowed};
    if (const auto encoded = encode(profile, point, value, Ratios{}); !encoded) {
      return Error{Errc::kInvalid, "allow: " + encoded.error().detail};
    }
  }
  return {};
}

Status check_point(const Profile& profile, const Point& point) {
  if (point.registers > profile.max_registers && !is_bits(point.table)) {
    return wrong(point.name, "its " + std::to_string(point.registers) +
                                 " registers are more than max_registers = " + std::to_string(profile.max_registers));
  }
  if (Status checked = check_references(profile, point); !checked) return checked;
  if (!ends(profile, point, kDeepest)) {
    return wrong(point.name, "its exponent, times or sign go in a circle, or over more than " +
                                 std::to_string(kDeepest) + " points");
  }
  return point.write ? check_write(profile, point) : Status();
}

}  // namespace

std::vector<PointFault> check_points(const Profile& profile) {
  std::vector<PointFault> faults;
  for (const Point& point : profile.points) {
    if (Status checked = check_point(profile, point); !checked) faults.push_back({&point, checked.error().detail});
  }
  return faults;
}

}  // namespace metergate
