#pragma once

#include <gtest/gtest.h>

#include <string>

#include "drivers/profile/profile.h"

namespace metergate {

inline std::string with_points(const std::string& points, const std::string& header = "") {
  return "[profile]\nformat = 1\n" + header + "\n[points]\n" + points;
}

inline Result<Profile> read_text(const std::string& text) {
  return parse_profile("meter", "meter.ini", text, [](const std::string&) { return std::nullopt; });
}

/// A profile of these lines, which must be good.
inline Profile profile_of(const std::string& points, const std::string& header = "") {
  auto profile = read_text(with_points(points, header));
  EXPECT_TRUE(profile) << (profile ? "" : profile.error().detail);
  return profile ? *profile : Profile{};
}

/// The refusal of these lines; "none" when they were taken. The points begin in line 5.
inline std::string refusal_of(const std::string& points, const std::string& header = "") {
  const auto profile = read_text(with_points(points, header));
  if (profile) return "none";
  EXPECT_EQ(profile.error().code, Errc::kInvalid);
  return profile.error().detail;
}

}  // namespace metergate
