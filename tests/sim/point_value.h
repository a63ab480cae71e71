#pragma once

#include <optional>
#include <vector>

#include "tests/sim/encode.h"

namespace metersim {

/// What one point of one meter shows as time goes by.
class PointValue {
 public:
  /// Throws Refused.
  PointValue(const ProfileFile& profile, const FilePoint& point, int meter);

  const FilePoint& point() const { return point_; }
  /// `seconds` is time since 1970. Throws Refused.
  Field at(double seconds) const;

 private:
  struct Name {
    std::int64_t raw;
    std::string json;
  };
  double target(double seconds) const;
  bool means_not_available(std::int64_t raw) const;

  FilePoint point_;
  int meter_;
  bool is_text_;                      ///< its number is sent as a string
  std::optional<std::int64_t> role_;  ///< a point that others are multiplied by holds one value
  Exact scale_, offset_, factor_;     ///< value = (raw * scale + offset) * factor
  std::optional<double> min_, max_, wraps_;
  std::vector<Name> names_;
  std::vector<std::int64_t> not_available_;
};

}  // namespace metersim
