#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "agent/base/result.h"

namespace metergate {

/// Builds one compact JSON text by appending; commas come by themselves. Without a begin_object at the outermost level
/// it builds members without braces (`"a":1,"b":2`). The caller ends what it begins.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  /// Escaped. Bytes that are not UTF-8 become U+FFFD.
  JsonWriter& text(std::string_view value);
  template <class T, class = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>>
  JsonWriter& number(T value) {
    return raw(std::to_string(value));
  }
  /// A number that is JSON already, as Decimal::text() gives it: not looked at.
  JsonWriter& raw_number(std::string_view decimal) { return raw(decimal); }
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  /// A value, or members with their commas, that are JSON already: not looked at. Empty text adds nothing.
  JsonWriter& raw(std::string_view json);

  /// A member whose form follows from its type: text, integer, boolean.
  template <class T>
  JsonWriter& member(std::string_view name, const T& value) {
    key(name);
    if constexpr (std::is_same_v<T, bool>) {
      return boolean(value);
    } else if constexpr (std::is_integral_v<T>) {
      return number(value);
    } else {
      return text(value);
    }
  }
  /// null where there is nothing.
  template <class T>
  JsonWriter& member(std::string_view name, const std::optional<T>& value) {
    return value ? member(name, *value) : key(name).null();
  }
  JsonWriter& raw_member(std::string_view name, std::string_view json) { return key(name).raw(json); }

  /// What was built; the writer is as new.
  std::string take() { return std::exchange(out_, {}); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void comma();
  void quote(std::string_view value);
  std::string out_;
};

/// One JSON value.
struct Json {
  enum class Kind { kNull, kBoolean, kNumber, kText, kArray, kObject };
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::string text;                ///< of a text, UTF-8, may hold NUL; of a number: as it was written
  std::vector<std::string> names;  ///< of an object: names[i] is the name of items[i]
  std::vector<Json> items;         ///< of an array or object

  bool is(Kind wanted) const { return kind == wanted; }
  /// An object's member; of several with one name the last. Null pointer: none, or no object.
  const Json* find(std::string_view name) const;
  std::optional<std::string> as_text() const;
  /// A number that is whole (also `1e3` or `5.0`) and within the range.
  std::optional<std::int64_t> as_integer(std::int64_t min, std::int64_t max) const;
};

constexpr int kMaxJsonDepth = 32;
constexpr int kMaxJsonNodes = 20'000;  ///< values and names together

/// RFC 8259; a byte order mark is skipped. A number keeps its text, whatever its size. Pure; no input makes it recurse
/// or take more than some 100 bytes for each byte of text. Errors: kInvalid with the byte offset, or the limit that was
/// passed.
Result<Json> parse_json(std::string_view text);

/// The same without those two limits, for a text whose length is bounded: objects and arrays on the third level and
/// deeper are empty.
Result<Json> parse_json_outline(std::string_view text);

}  // namespace metergate
