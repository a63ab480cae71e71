#include "agent/cli/text_table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace metergate {

namespace {

std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

TextTable::TextTable(std::vector<std::string> header, std::vector<std::size_t> right)
    : rows_{std::move(header)}, right_(std::move(right)) {}

void TextTable::add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

void TextTable::print(std::ostream& out, const std::string& indent) const {
  std::vector<std::size_t> widths(rows_[0].size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  const auto& header = rows_[0];
  const bool headless = std::all_of(header.begin(), header.end(), [](const std::string& cell) { return cell.empty(); });
  for (auto row = rows_.begin() + (headless ? 1 : 0); row != rows_.end(); ++row) {
    std::string line = indent;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string blanks(widths[i] - width((*row)[i]), ' ');
      const bool at_right = std::find(right_.begin(), right_.end(), i) != right_.end();
      line += at_right ? blanks + (*row)[i] : (*row)[i] + blanks;
      line += "  ";
    }
    const std::size_t end = line.find_last_not_of(' ');
    out << line.substr(0, end == std::string::npos ? 0 : end + 1) << "\n";
  }
  out << std::flush;
}

std::string with_commas(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3 + (number < 0 ? 1u : 0u); i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string format_bytes(double bytes) {
  static const std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < units.size()) {
    bytes /= 1000;
    ++unit;
  }
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), unit > 0 && bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
  return text.data();
}

}  // namespace metergate
