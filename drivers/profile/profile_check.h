#pragma once

#include <string>
#include <vector>

#include "drivers/profile/profile.h"

namespace metergate {

/// A refusal that only the whole profile shows, and the point whose line is wrong.
struct PointFault {
  const Point* point;
  std::string text;  ///< `'offending': what would be right`
};

/// References (to points that exist, are numbers, and do not depend on each other in a circle), widths, and values to
/// write.
std::vector<PointFault> check_points(const Profile& profile);

/// A hash over everything that gives the values their meaning, whatever the order of points and keys.
std::string digest_of(const Profile& profile);
/// Likewise, of one point and of the points that scale it.
std::string digest_of(const Profile& profile, const Point& point);

}  // namespace metergate
