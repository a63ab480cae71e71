#include "agent/config/spec_fields.h"

#include <algorithm>

namespace metergate {

namespace {

constexpr std::size_t kLongestName = 64;

Error invalid(std::string detail) { return Error{Errc::kInvalid, std::move(detail)}; }

}  // namespace

Result<std::string> take_quoted(std::string_view& rest) {
  std::string value;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] != '"') {
      value += rest[i];
    } else if (i + 1 < rest.size() && rest[i + 1] == '"') {
      value += rest[i++];
    } else {
      rest.remove_prefix(i + 1);
      return value;
    }
  }
  return invalid("the quote in " + in_quotes(rest) + " is not closed");
}

Result<SpecFields> split_spec(std::string_view spec) {
  SpecFields fields;
  std::string_view rest = trim(spec);
  for (;;) {
    const std::size_t end = rest.find_first_of("=,");
    if (end == std::string_view::npos || rest[end] == ',') {
      return invalid(in_quotes(trim(rest.substr(0, end))) + " is not key=value; a SPEC is key=value,key=value");
    }
    SpecField field{std::string(trim(rest.substr(0, end))), ""};
    rest = trim(rest.substr(end + 1));
    if (!rest.empty() && rest[0] == '"') {
      auto value = take_quoted(rest);
      if (!value) return value.error();
      field.value = *value;
      rest = trim(rest);
      if (!rest.empty() && rest[0] != ',') {
        return invalid(in_quotes(rest) + " stands behind the closing quote, where a comma would be right");
      }
    } else {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      field.value = trim(rest.substr(0, comma));
      rest.remove_prefix(comma);
    }
    fields.push_back(std::move(field));
    if (rest.empty()) return fields;
    rest = trim(rest.substr(1));
  }
}

Status check_name(std::string_view name) {
  const bool good = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
  if (good && !name.empty() && name.size() <= kLongestName) return {};
  return invalid(in_quotes(name) + " is not 1 to 64 letters, digits, '_', '-' or '.'");
}

std::string not_one_of(std::string_view value, const std::vector<std::string>& choices) {
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
  return in_quotes(value) + " is not one of " + list + hint(value, choices);
}

SpecFieldReader::SpecFieldReader(const SpecFields& fields, const std::vector<std::string>& known) : fields_(fields) {
  for (auto field = fields.begin(); field != fields.end(); ++field) {
    if (std::find(known.begin(), known.end(), field->key) == known.end()) {
      fail("unknown key " + in_quotes(field->key) + hint(field->key, known));
    }
    if (std::any_of(fields.begin(), field, [&](const SpecField& other) { return other.key == field->key; })) {
      fail(field->key + " is given twice");
    }
  }
}

std::optional<std::string> SpecFieldReader::text(const std::string& key) {
  const auto field = std::find_if(fields_.begin(), fields_.end(), [&](const SpecField& f) { return f.key == key; });
  if (!status_ || field == fields_.end()) return std::nullopt;
  if (field->value.empty()) fail(key + " has no value");
  return field->value;
}

std::string SpecFieldReader::required(const std::string& key, const std::string& example) {
  const auto value = text(key);
  if (!value) fail(key + "= is missing; such as " + key + "=" + example);
  return value.value_or("");
}

void SpecFieldReader::integer(const std::string& key, std::int64_t min, std::int64_t max, std::optional<int>& to) {
  const auto value = text(key);
  if (!value || !status_) return;
  const auto number = parse_integer(*value, min, max);
  if (!number) return fail(key + ": " + number.error().detail);
  to = static_cast<int>(*number);
}

void SpecFieldReader::duration(const std::string& key, Millis min, Millis max, std::optional<Millis>& to) {
  const auto value = text(key);
  if (!value || !status_) return;
  const auto parsed = parse_duration(*value, min, max);
  if (!parsed) return fail(key + ": " + parsed.error().detail);
  to = *parsed;
}

void SpecFieldReader::name(const std::string& key, std::string& to, const std::string& example) {
  to = required(key, example);
  const Status good = check_name(to);
  if (!good) fail(key + ": " + good.error().detail);
}

std::optional<std::size_t> SpecFieldReader::choice(const std::string& key, const std::vector<std::string>& choices) {
  const auto value = text(key);
  if (!value || !status_) return std::nullopt;
  const auto found = std::find(choices.begin(), choices.end(), *value);
  if (found == choices.end()) {
    fail(key + ": " + not_one_of(*value, choices));
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - choices.begin());
}

void SpecFieldReader::fail(const std::string& detail) {
  if (status_) status_ = invalid(detail);
}

}  // namespace metergate
