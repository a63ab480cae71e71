#include "tests/sim/exact.h"

#include <algorithm>
#include <cstdlib>

#include "tests/sim/text.h"

namespace metersim {
namespace {

Exact stripped(Exact value) {
  if (value.digits == 0) return {};
  while (value.digits % 10 == 0) {
    value.digits /= 10;
    ++value.exponent;
  }
  return value;
}

}  // namespace

double Exact::approximate() const { return std::strtod(text().c_str(), nullptr); }

std::string Exact::text() const {
  const Exact value = stripped(*this);
  std::string out;
  for (Wide rest = value.digits < 0 ? -value.digits : value.digits; rest != 0; rest /= 10)
    out += static_cast<char>('0' + static_cast<int>(rest % 10));
  out.resize(std::max(out.size(), static_cast<std::size_t>(std::max(0, 1 - value.exponent))), '0');
  std::reverse(out.begin(), out.end());
  if (value.exponent > 0) out.append(static_cast<std::size_t>(value.exponent), '0');
  if (value.exponent < 0) out.insert(out.end() + value.exponent, '.');
  return (value.digits < 0 ? "-" : "") + out;
}

Exact parse_exact(std::string_view text) {
  Exact value;
  std::string_view rest = text;
  const bool negative = !rest.empty() && rest[0] == '-';
  if (negative) rest.remove_prefix(1);
  bool fraction = false;
  std::size_t digits = 0;
  while (!rest.empty() && rest[0] != 'e' && rest[0] != 'E') {
    if (rest[0] == '.' && !fraction) {
      fraction = true;
    } else if (rest[0] >= '0' && rest[0] <= '9' && digits < 30) {
      value.digits = value.digits * 10 + (rest[0] - '0');
      value.exponent -= fraction ? 1 : 0;
      ++digits;
    } else {
      break;
    }
    rest.remove_prefix(1);
  }
  if (!rest.empty() && (rest[0] == 'e' || rest[0] == 'E')) {
    rest.remove_prefix(!rest.empty() && rest.size() > 1 && rest[1] == '+' ? 2 : 1);
    value.exponent += static_cast<int>(whole_number(std::string(rest), -40, 40, "exponent"));
    rest = {};
  }
  if (digits == 0 || !rest.empty()) throw Refused("'" + std::string(text) + "' is no decimal number");
  if (negative) value.digits = -value.digits;
  return stripped(value);
}

Exact operator*(Exact a, Exact b) { return stripped({a.digits * b.digits, a.exponent + b.exponent}); }

Exact operator+(Exact a, Exact b) {
  while (a.exponent > b.exponent) a = {a.digits * 10, a.exponent - 1};
  while (b.exponent > a.exponent) b = {b.digits * 10, b.exponent - 1};
  return stripped({a.digits + b.digits, a.exponent});
}

}  // namespace metersim
