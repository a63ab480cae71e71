#include "drivers/profile/point_text.h"

#include <array>
#include <cstdio>

#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/base/utf8.h"

namespace metergate {

namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";  // U+FFFD

int byte_at(const std::string& bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

/// Year, month, day, hour, minute, second.
using Fields = std::array<int, 6>;

/// A word or a byte each.
Fields binary_fields(const std::string& bytes) {
  Fields fields{};
  const std::size_t width = bytes.size() / fields.size();
  for (std::size_t i = 0; i < fields.size() * width; ++i) {
    fields.at(i / width) = fields.at(i / width) * 256 + byte_at(bytes, i);
  }
  return fields;
}

int bcd_at(const std::string& bytes, std::size_t i) {
  const int high = byte_at(bytes, i) >> 4;
  const int low = byte_at(bytes, i) & 0xF;
  return high > 9 || low > 9 ? -1 : high * 10 + low;
}

/// Two decimal digits a byte; -1 where one is over 9.
Fields bcd_fields(const std::string& bytes) {
  Fields fields{};
  for (std::size_t i = 0; i < fields.size() && i < bytes.size(); ++i) fields.at(i) = bcd_at(bytes, i);
  return fields;
}

/// YY MM DD [WW] hh mm [ss].
Fields item_fields(std::string bytes) {
  constexpr std::size_t kWithWeekday = 7, kWeekday = 3;
  if (bytes.size() == kWithWeekday) bytes.erase(kWeekday, 1);
  return bcd_fields(bytes);
}

std::optional<std::string> calendar_text(Fields fields) {
  auto& [year, month, day, hour, minute, second] = fields;
  if (year >= 0 && year < 100) year += 2000;
  char text[80];
  if (year < 1970 || year > 9999 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  if (month > 99 || day > 99 || hour > 99 || minute > 99 || second > 59) return std::nullopt;
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, hour, minute, second);
  // The length of months is known there.
  if (!parse_rfc3339(std::string(text) + "Z")) return std::nullopt;
  return text;
}

}  // namespace

std::string printable_text(const std::string& bytes) {
  const std::size_t first = bytes.find_first_not_of(std::string(" \0", 2));
  if (first == std::string::npos) return "";
  std::string body = bytes.substr(first, bytes.find('\0', first) - first);
  body.erase(body.find_last_not_of(" \xFF") + 1);
  std::string text;
  for (std::size_t i = 0; i < body.size();) {
    const std::size_t length = utf8_length(body, i);
    const bool control = length == 1 && (byte_at(body, i) < ' ' || byte_at(body, i) == 0x7F);
    text += length == 0 || control ? kReplacement : body.substr(i, length);
    i += length == 0 ? 1 : length;
  }
  return text;
}

std::optional<std::string> time_text(TimeForm form, const std::string& bytes) {
  if (form == TimeForm::kBcd) return calendar_text(bcd_fields(bytes));
  if (form == TimeForm::kDlt) return calendar_text(item_fields(bytes));
  if (form == TimeForm::kYmdhms) return calendar_text(binary_fields(bytes));
  std::int64_t seconds = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) seconds = seconds * 256 + byte_at(bytes, i);
  return rfc3339(from_ms(seconds * 1000)).substr(0, 19) + "Z";
}

}  // namespace metergate
