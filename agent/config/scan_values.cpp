#include "agent/config/scan_values.h"

#include <algorithm>
#include <set>

#include "agent/base/text.h"
#include "agent/config/spec.h"

namespace metergate {

namespace {

constexpr int kHighestUnit = 255;

/// The words of a list, each once.
Result<std::vector<std::string>> words_of(const std::string& value, const std::vector<std::string>& known) {
  std::vector<std::string> words;
  for (const std::string& part : split(value, ',')) {
    const std::string word(trim(part));
    if (std::count(known.begin(), known.end(), word) == 0) return Error{Errc::kInvalid, not_one_of(word, known)};
    if (std::count(words.begin(), words.end(), word) == 0) words.push_back(word);
  }
  return words;
}

}  // namespace

Result<std::vector<int>> parse_units(const std::string& value) {
  std::set<int> units;
  for (const std::string& part : split(value, ',')) {
    const auto ends = split(std::string(trim(part)), '-');
    const auto first = parse_integer(ends.front(), 0, kHighestUnit);
    const auto last = parse_integer(ends.back(), 0, kHighestUnit);
    if (ends.size() > 2 || !first || !last || *last < *first) {
      return Error{Errc::kInvalid, "'" + part + "' is no unit and no range of units, such as 1-32,40"};
    }
    for (auto unit = *first; unit <= *last; ++unit) units.insert(static_cast<int>(unit));
  }
  return std::vector<int>(units.begin(), units.end());
}

Result<std::vector<int>> parse_bauds(const std::string& value) {
  const auto words = words_of(value, known_bauds());
  if (!words) return words.error();
  std::vector<int> bauds;
  for (const std::string& word : *words) bauds.push_back(std::stoi(word));
  return bauds;
}

Result<std::vector<std::string>> parse_modes(const std::string& value) { return words_of(value, known_modes()); }

void set_mode(const std::string& mode, SerialSettings* serial) {
  serial->parity = mode[1];
  serial->stop_bits = mode[2] - '0';
}

}  // namespace metergate
