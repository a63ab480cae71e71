#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace metergate {

/// Columns of text for people, as wide as their longest cell (characters, not bytes).
class TextTable {
 public:
  /// `right`: the columns, counted from 0, whose cells stand at the right.
  explicit TextTable(std::vector<std::string> header, std::vector<std::size_t> right = {});

  /// As many cells as the header has.
  void add(std::vector<std::string> row);
  /// Without the header when its cells are all empty. Lines have no blanks at their ends.
  void print(std::ostream& out, const std::string& indent = "") const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the header is the first
  std::vector<std::size_t> right_;
};

/// 1234567 as `1,234,567`.
std::string with_commas(std::int64_t number);
/// Bytes as `1.2 MB` (powers of 1000), two or three digits.
std::string format_bytes(double bytes);

}  // namespace metergate
