#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/text.h"

namespace metergate {

/// One `key=value` of a SPEC, or a cell of a table under its column's name.
struct SpecField {
  std::string key;
  std::string value;
};
using SpecFields = std::vector<SpecField>;

/// Takes a text in double quotes, `""` in it being one quote, off the front of `rest`. Errors: kInvalid (it does not
/// end).
Result<std::string> take_quoted(std::string_view& rest);

/// `key=value,key=value`. A value with commas stands in double quotes, `""` inside them is one quote. Blanks around
/// keys and values are dropped. Errors: kInvalid.
Result<SpecFields> split_spec(std::string_view spec);

/// A name that stands in messages and topics: `[A-Za-z0-9._-]{1,64}`. Errors: kInvalid.
Status check_name(std::string_view name);

/// Takes typed values out of fields. The first fault is kept, later calls then do nothing.
class SpecFieldReader {
 public:
  /// Refuses keys that are not `known`, and keys given twice.
  SpecFieldReader(const SpecFields& fields, const std::vector<std::string>& known);

  /// Nothing when the key was not given. With an empty value: a fault.
  std::optional<std::string> text(const std::string& key);
  std::string required(const std::string& key, const std::string& example);
  void integer(const std::string& key, std::int64_t min, std::int64_t max, std::optional<int>& to);
  void duration(const std::string& key, Millis min, Millis max, std::optional<Millis>& to);
  void name(const std::string& key, std::string& to, const std::string& example);  ///< required, check_name
  /// Index of the value in `choices`; nothing when the key was not given.
  std::optional<std::size_t> choice(const std::string& key, const std::vector<std::string>& choices);

  void fail(const std::string& detail);
  const Status& status() const { return status_; }

 private:
  const SpecFields& fields_;
  Status status_;
};

/// `'x' is not one of a, b, c (did you mean ...?)`.
std::string not_one_of(std::string_view value, const std::vector<std::string>& choices);

}  // namespace metergate
