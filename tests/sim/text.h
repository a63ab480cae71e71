#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/clock.h"

namespace metersim {

/// Input that cannot be used; its text is for the person who wrote it.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string trimmed(std::string_view text);
/// Parts between separators, empty ones kept.
std::vector<std::string> split(std::string_view text, char separator);
/// `key=value` in two; the value is empty where there is no '='.
std::pair<std::string, std::string> key_value(std::string_view text);

/// Decimal or 0x. Throws Refused, also outside the bounds.
std::int64_t whole_number(const std::string& text, std::int64_t least, std::int64_t most, const std::string& what);
/// `20`, `20ms`, `0.5ms`, `100us` or `2s`; a bare number is milliseconds.
Nanos duration(const std::string& text);
/// With quotes, and everything escaped that JSON wants escaped.
std::string json_string(std::string_view text);

}  // namespace metersim
