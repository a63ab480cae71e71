#pragma once

#include <string>
#include <string_view>

#include "agent/base/int128.h"

namespace metersim {

using Wide = metergate::Int128;

/// digits * 10^exponent, so that what a register means can be told to the last digit.
struct Exact {
  Wide digits = 0;
  int exponent = 0;

  double approximate() const;
  std::string text() const;  ///< plain decimal, no trailing zeros in the fraction
};

Exact parse_exact(std::string_view text);  ///< `-12.50` or `1e-3`; throws Refused
Exact operator*(Exact a, Exact b);
Exact operator+(Exact a, Exact b);

}  // namespace metersim
