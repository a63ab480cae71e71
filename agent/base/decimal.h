#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/int128.h"

namespace metergate {

/// An exact decimal: integer * 10^exponent, 38 digits. Meter values live in it and never pass through a double.
/// Arithmetic that does not fit gives nothing, never a wrong number.
class Decimal {
 public:
  using Mantissa = Int128;

  Decimal() = default;
  /// |mantissa| < 2^127, |exponent| <= 9999.
  explicit Decimal(Mantissa mantissa, int exponent = 0);

  /// JSON number syntax (`-12.50e3`), nothing else. Nothing when it is none or has more digits than fit.
  static std::optional<Decimal> parse(std::string_view text);
  /// The fewest digits that read back as the same float (std::to_chars). Nothing for NaN and infinity. -0.0 gives 0.
  static std::optional<Decimal> from_float(float value);
  static std::optional<Decimal> from_double(double value);

  std::optional<Decimal> times(const Decimal& other) const;
  std::optional<Decimal> plus(const Decimal& other) const;
  /// Exact quotient, or nothing when it has no finite decimal form or does not fit.
  std::optional<Decimal> divided_by(const Decimal& other) const;
  Decimal negated() const;
  /// This value * 10^power.
  std::optional<Decimal> shifted(int power) const;

  /// The value as a whole number, or nothing when it has a fraction or does not fit.
  std::optional<Mantissa> whole() const;
  /// The nearest double / float, for writing to float registers only (std::from_chars on the text); infinity beyond
  /// their range.
  double to_double() const;
  float to_float() const;

  /// A JSON number, normalised: no trailing zeros in the fraction, no '+', `0` for zero, plain digits while the
  /// exponent is small (at most 40 characters), else `1.5e60`.
  std::string text() const;

  int compare(const Decimal& other) const;  ///< < 0, 0, > 0; exact for any two values
  bool operator==(const Decimal& other) const { return compare(other) == 0; }
  bool operator<(const Decimal& other) const { return compare(other) < 0; }

 private:
  static std::optional<Decimal> made(Mantissa mantissa, long exponent);

  Mantissa mantissa_ = 0;  // without trailing zeros
  int exponent_ = 0;
};

}  // namespace metergate
