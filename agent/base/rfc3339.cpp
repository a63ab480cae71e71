#include <algorithm>
#include <array>
#include <ctime>

#include "agent/base/rfc3339.h"

namespace metergate {

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kDayS = 86'400;
constexpr std::int64_t kHourS = 3600;
constexpr std::int64_t kMinuteS = 60;
constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

bool leap(std::int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int month_days(std::int64_t year, int month) {
  return month == 2 && leap(year) ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Days from 1970-01-01 to the first of the year. Own arithmetic: time_t may have 32 bits.
std::int64_t days_before_year(std::int64_t year) {
  const std::int64_t y = year - 1;
  return y * 365 + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 719'162;
}

/// Reads fixed-width fields from the front; remembers that one failed.
class Fields {
 public:
  explicit Fields(std::string_view text) : rest_(text) {}

  int number(std::size_t width, int min, int max) {
    int value = 0;
    if (rest_.size() < width) return fail();
    for (std::size_t i = 0; i < width; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return fail();
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(width);
    return value < min || value > max ? fail() : value;
  }
  /// Takes one of `set` and returns it.
  char one_of(std::string_view set) {
    if (rest_.empty() || set.find(rest_[0]) == std::string_view::npos) return static_cast<char>(fail());
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }
  /// `.` and digits, if they come next, cut to milliseconds.
  int milliseconds() {
    if (rest_.empty() || rest_[0] != '.') return 0;
    rest_.remove_prefix(1);
    std::size_t digits = 0;
    int value = 0;
    for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits) {
      if (digits < 3) value = value * 10 + (rest_[digits] - '0');
    }
    rest_.remove_prefix(digits);
    if (digits == 0) return fail();
    for (; digits < 3; ++digits) value *= 10;
    return value;
  }
  bool complete() const { return ok_ && rest_.empty(); }

 private:
  int fail() {
    ok_ = false;
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

/// A field with zeros in front, and what ends it. snprintf takes five times as long, and every record has some times.
void append(std::string& text, std::int64_t number, std::size_t width, char end) {
  const std::string digits = std::to_string(number);
  text.append(width - std::min(width, digits.size()), '0');
  text += digits;
  text += end;
}

}  // namespace

std::string rfc3339(UtcTime t) {
  const std::int64_t ms = to_ms(t);
  std::int64_t days = floor_div(ms, kDayMs);
  const std::int64_t in_day = ms - days * kDayMs;
  std::int64_t year = 1970 + floor_div(days, 366);  // not above the true one, and few steps below it
  while (days_before_year(year + 1) <= days) ++year;
  while (days_before_year(year) > days) --year;
  days -= days_before_year(year);
  int month = 1;
  for (; days >= month_days(year, month); ++month) days -= month_days(year, month);

  std::string text;
  text.reserve(sizeof "1970-01-01T00:00:00.000Z");
  append(text, year, 4, '-');
  append(text, month, 2, '-');
  append(text, days + 1, 2, 'T');
  append(text, in_day / 3'600'000, 2, ':');
  append(text, in_day / 60'000 % 60, 2, ':');
  append(text, in_day / 1000 % 60, 2, '.');
  append(text, in_day % 1000, 3, 'Z');
  return text;
}

std::optional<UtcTime> parse_rfc3339(std::string_view text) {
  Fields fields(text);
  const int year = fields.number(4, 0, 9999);
  fields.one_of("-");
  const int month = fields.number(2, 1, 12);
  fields.one_of("-");
  const int day = fields.number(2, 1, 31);
  fields.one_of("Tt ");  // RFC 3339 section 5.6 lets a reader take a space
  const int hour = fields.number(2, 0, 23);
  fields.one_of(":");
  const int minute = fields.number(2, 0, 59);
  fields.one_of(":");
  const int second = fields.number(2, 0, 60);
  const int millis = fields.milliseconds();
  const char zone = fields.one_of("Zz+-");
  std::int64_t offset = 0;
  if (zone == '+' || zone == '-') {
    offset = fields.number(2, 0, 23) * kHourS;
    fields.one_of(":");
    offset += fields.number(2, 0, 59) * kMinuteS;
    if (zone == '-') offset = -offset;
  }
  if (!fields.complete() || day > month_days(year, month)) return std::nullopt;

  std::int64_t days = days_before_year(year) + day - 1;
  for (int m = 1; m < month; ++m) days += month_days(year, m);
  const std::int64_t seconds = days * kDayS + hour * kHourS + minute * kMinuteS + second - offset;
  if (second == 60 && seconds % kDayS != 0) return std::nullopt;  // a leap second ends a day of UTC
  return from_ms(seconds * 1000 + millis);
}

Millis zone_offset(UtcTime t) {
  const auto seconds = static_cast<std::time_t>(to_ms(t) / 1000);
  std::tm local{};
  return localtime_r(&seconds, &local) == nullptr ? Millis{0} : Millis{local.tm_gmtoff * 1000};
}

}  // namespace metergate
