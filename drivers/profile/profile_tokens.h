#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/decimal.h"
#include "agent/base/result.h"
#include "agent/base/text.h"

namespace metergate {

// The small words that profiles are made of, and the refusals of those that are none.

/// `'offending': what would be right`.
inline Error wrong(std::string_view offending, const std::string& right) {
  return Error{Errc::kInvalid, in_quotes(offending) + ": " + right};
}

template <class T>
struct Keyword {
  const char* name;
  T meaning;
};

template <class T, std::size_t N>
std::vector<std::string> names_of(const std::array<Keyword<T>, N>& words) {
  std::vector<std::string> names;
  names.reserve(N);
  for (const Keyword<T>& word : words) names.emplace_back(word.name);
  return names;
}

/// `what` names the kind of word, `a table`.
template <class T, std::size_t N>
Result<T> one_of(const std::array<Keyword<T>, N>& words, std::string_view text, const std::string& what) {
  std::string list;
  for (const Keyword<T>& word : words) {
    if (text == word.name) return word.meaning;
    list += (list.empty() ? "" : ", ") + std::string(word.name);
  }
  return wrong(text, what + " is one of " + list + hint(text, names_of(words)));
}

/// Decimal or 0x, with '-' in front where it is negative; at most 64 bits.
std::optional<Decimal::Mantissa> whole_number(std::string_view text);
bool is_hexadecimal(std::string_view text);

/// `what` names the number, `an address`.
Result<int> number_within(std::string_view text, int min, int max, const std::string& what);

/// Of points; [a-z][a-z0-9_]{0,63}.
bool is_point_name(std::string_view text);

/// Splits at blanks; a double-quoted part keeps its own. Errors: kInvalid, a quote without its second.
Result<std::vector<std::string>> tokens_of(std::string_view text);

}  // namespace metergate
