#include "agent/base/text.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <limits>
#include <system_error>

#include "agent/base/utf8.h"

namespace metergate {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kLongestGuess = 100;  // longer words are no typing errors
constexpr std::size_t kLongestQuote = 200;  // characters of an offending text

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr std::array<Unit, 5> kDurations{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};  // longest first
constexpr std::array<Unit, 3> kSizes{{{"GiB", 1ll << 30}, {"MiB", 1ll << 20}, {"KiB", 1ll << 10}}};

Error invalid(std::string detail) { return Error{Errc::kInvalid, std::move(detail)}; }

template <std::size_t N>
std::string with_unit(std::int64_t value, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) return std::to_string(value / unit.factor) + std::string(unit.name);
  }
  return std::to_string(value);
}

/// Nothing when `text` is not a number with one of the units; beyond 64 bits it is the largest number.
template <std::size_t N>
std::optional<std::int64_t> number_with_unit(std::string_view text, const std::array<Unit, N>& units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto unit =
      std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text.substr(digits); });
  if (digits == 0 || unit == units.end()) return std::nullopt;
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + digits, number);
  if (parsed.ec != std::errc{} || number > kMax / unit->factor) return kMax;
  return number * unit->factor;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = "'";
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++characters) {
    if (characters == kLongestQuote) return out + "...'";
    const std::size_t length = utf8_length(text, i);
    const auto first = static_cast<unsigned char>(text[i]);
    // C0, DEL, and the C1 of Unicode, which a terminal may obey too.
    const bool control = first < 0x20 || first == 0x7F ||
                         (length == 2 && first == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0);
    if (length == 0 || control) {
      out += '?';
    } else {
      out += text.substr(i, length);
    }
    i += std::max<std::size_t>(1, length);
  }
  return out + "'";
}

std::string error_lines(std::string_view message) {
  std::string out;
  for (const std::string& line : split(message, '\n')) out += "metergate: " + line + "\n";
  return out;
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string host_port(const std::string& host, int port) {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end || value < min || value > max) {
    return invalid(in_quotes(text) + " is not a whole number from " + std::to_string(min) + " to " +
                   std::to_string(max));
  }
  return value;
}

Result<Millis> parse_duration(std::string_view text, Millis min, Millis max) {
  const auto value = number_with_unit(text, kDurations);
  if (!value) return invalid(in_quotes(text) + " is not a duration, written like 250ms, 10s, 5m, 1h or 30d");
  if (*value < min.count() || *value > max.count()) {
    return invalid(in_quotes(text) + " is not from " + format_duration(min) + " to " + format_duration(max));
  }
  return Millis{*value};
}

Result<std::int64_t> parse_size(std::string_view text, std::int64_t min, std::int64_t max) {
  const auto value = number_with_unit(text, kSizes);
  if (!value) return invalid(in_quotes(text) + " is not a size, written like 64KiB, 256MiB or 2GiB");
  if (*value < min || *value > max) {
    return invalid(in_quotes(text) + " is not from " + with_unit(min, kSizes) + " to " + with_unit(max, kSizes));
  }
  return *value;
}

std::string format_duration(Millis d) { return d.count() == 0 ? "0s" : with_unit(d.count(), kDurations); }

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// Optimal string alignment: letters inserted, left out, changed, or two neighbours swapped count one each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j < last.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({changed, last[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.empty() || word.size() > kLongestGuess) return std::nullopt;
  const std::string meant = lower(word);
  std::optional<std::string> best;
  std::size_t best_distance = 0;
  for (const std::string& candidate : known) {
    if (candidate.size() > kLongestGuess) continue;
    const std::size_t longer = std::max(word.size(), candidate.size());
    std::size_t distance = edit_distance(meant, lower(candidate));
    // A beginning of at least three letters counts as meant, but after every true typing error.
    const bool beginning = meant.size() >= 3 && lower(candidate).compare(0, meant.size(), meant) == 0;
    const bool near = distance < longer && distance <= std::max<std::size_t>(1, longer / 3);
    if (!near && !beginning) continue;
    if (!near) distance += kLongestGuess;
    if (!best || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string hint(std::string_view word, const std::vector<std::string>& known) {
  const auto meant = nearest(word, known);
  return meant ? " (did you mean " + in_quotes(*meant) + "?)" : "";
}

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;  // where the last star's run ends if the present try fails
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  const auto failed = [&path] {
    return Error{Errc::kNotFound, "cannot read " + in_quotes(path) + ": " + std::generic_category().message(errno)};
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed();
  std::string content;
  std::array<char, 16384> chunk{};
  ssize_t n = 0;
  while (content.size() <= max_bytes) {
    n = ::read(fd, chunk.data(), chunk.size());
    if (n > 0) content.append(chunk.data(), static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EINTR)) break;
  }
  const Error error = n < 0 ? failed() : Error{};
  ::close(fd);
  if (n < 0) return error;
  if (content.size() > max_bytes) {
    return invalid(in_quotes(path) + " is larger than the " + std::to_string(max_bytes) + " bytes that it may have");
  }
  return content;
}

Result<std::string> read_secret(const std::string& flag, const std::string& path) {
  auto text = read_file(path, 64 << 10);
  if (!text) return Error{Errc::kInvalid, flag + ' ' + path + ": " + text.error().detail};
  if (!text->empty() && text->back() == '\n') text->pop_back();
  if (!text->empty() && text->back() == '\r') text->pop_back();
  if (text->empty()) return Error{Errc::kInvalid, flag + ' ' + path + ": it is empty"};
  return text;
}

}  // namespace metergate
