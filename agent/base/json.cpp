#include "agent/base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/base/decimal.h"
#include "agent/base/utf8.h"

namespace metergate {
namespace {

void append_escape(std::string& out, unsigned char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += digits[c >> 4];
      out += digits[c & 0xF];
  }
}

/// Takes the place of the library's double, which has no room for many numbers that JSON can write: their text is used
/// instead.
struct NoNumber {
  NoNumber(double = 0) {}                   // NOLINT(google-explicit-constructor)
  operator double() const { return 0; }     // NOLINT(google-explicit-constructor)
  operator double&() { return discarded; }  // NOLINT(google-explicit-constructor)
  double discarded = 0;
};
using Library = nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t, std::uint64_t, NoNumber>;

constexpr std::size_t kOutlineDepth = 2;

std::string at_byte(std::size_t position, std::string_view why) {
  return "no JSON at byte " + std::to_string(position) + (why.empty() ? "" : ": ") + std::string(why);
}

/// Builds the tree from the library's events; its parser keeps its own stack on the heap.
class Builder {
 public:
  explicit Builder(bool outline) : outline_(outline) {}
  Json take_root() { return std::move(root_); }
  std::string& failure() { return failure_; }

  bool null() { return leaf(Json::Kind::kNull, {}); }
  bool boolean(bool value) {
    if (!leaf(Json::Kind::kBoolean, {})) return false;
    if (skipped_ == 0) last_->boolean = value;
    return true;
  }
  bool number_integer(std::int64_t value) { return leaf(Json::Kind::kNumber, std::to_string(value)); }
  bool number_unsigned(std::uint64_t value) { return leaf(Json::Kind::kNumber, std::to_string(value)); }
  bool number_float(const NoNumber&, const std::string& text) { return leaf(Json::Kind::kNumber, text); }
  bool string(std::string& value) { return leaf(Json::Kind::kText, std::move(value)); }
  bool binary(Library::binary_t&) { return false; }  // has no JSON form
  bool start_object(std::size_t) { return enter(Json::Kind::kObject); }
  bool end_object() { return leave(); }
  bool start_array(std::size_t) { return enter(Json::Kind::kArray); }
  bool end_array() { return leave(); }
  bool key(std::string& name) {
    if (skipped_ > 0) return true;
    if (!count()) return false;
    open_.back()->names.push_back(std::move(name));
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) {
    // The sender's own bytes, which the library repeats behind "last read", stay out of the message.
    const std::string_view what = error.what();
    const auto reason = what.find(" - ");
    failure_ = at_byte(position, reason == what.npos ? std::string_view{}
                                                     : what.substr(reason + 3, what.find("; last read") - reason - 3));
    return false;
  }

 private:
  bool count() {
    if (outline_) return true;
    if (++nodes_ <= kMaxJsonNodes) return true;
    failure_ = "more than " + std::to_string(kMaxJsonNodes) + " JSON values and names";
    return false;
  }
  bool leaf(Json::Kind kind, std::string text) {
    if (skipped_ > 0) return true;
    if (!count()) return false;
    // No pointer in open_ dangles when items grows: what is open is never an item of the array or object that grows.
    last_ = open_.empty() ? &root_ : &open_.back()->items.emplace_back();
    last_->kind = kind;
    last_->text = std::move(text);
    return true;
  }
  bool enter(Json::Kind kind) {
    if (skipped_ > 0 || (outline_ && open_.size() >= kOutlineDepth)) {
      if (!leaf(kind, {})) return false;
      ++skipped_;
      return true;
    }
    if (open_.size() >= kMaxJsonDepth) {
      failure_ = "JSON nested deeper than " + std::to_string(kMaxJsonDepth) + " levels";
      return false;
    }
    if (!leaf(kind, {})) return false;
    open_.push_back(last_);
    return true;
  }
  bool leave() {
    if (skipped_ > 0) {
      --skipped_;
      return true;
    }
    open_.pop_back();
    return true;
  }

  Json root_;
  Json* last_ = nullptr;
  std::vector<Json*> open_;
  int nodes_ = 0;
  bool outline_;
  std::size_t skipped_ = 0;  // levels that are open and not kept
  std::string failure_;
};

}  // namespace

void JsonWriter::comma() {
  if (!out_.empty() && out_.back() != '{' && out_.back() != '[' && out_.back() != ':') out_ += ',';
}

JsonWriter& JsonWriter::open(char bracket) {
  comma();
  out_ += bracket;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  comma();
  quote(name);
  out_ += ':';
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view value) {
  comma();
  quote(value);
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  if (json.empty()) return *this;
  comma();
  out_ += json;
  return *this;
}

void JsonWriter::quote(std::string_view value) {
  out_ += '"';
  std::size_t plain = 0;  // what is not appended yet begins here
  for (std::size_t at = 0; at < value.size();) {
    const auto c = static_cast<unsigned char>(value[at]);
    const std::size_t length = c >= 0x20 && c < 0x80 ? 1 : utf8_length(value, at);
    if (length > 0 && c >= 0x20 && c != '"' && c != '\\') {
      at += length;
      continue;
    }
    out_.append(value, plain, at - plain);
    if (length == 0) {
      out_ += "\xEF\xBF\xBD";
    } else {
      append_escape(out_, c);
    }
    plain = ++at;
  }
  out_.append(value, plain);
  out_ += '"';
}

const Json* Json::find(std::string_view name) const {
  for (std::size_t i = names.size(); i-- > 0;) {
    if (names[i] == name) return &items[i];
  }
  return nullptr;
}

std::optional<std::string> Json::as_text() const {
  if (kind != Kind::kText) return std::nullopt;
  return text;
}

std::optional<std::int64_t> Json::as_integer(std::int64_t min, std::int64_t max) const {
  if (kind != Kind::kNumber) return std::nullopt;
  const auto decimal = Decimal::parse(text);
  const auto whole = decimal ? decimal->whole() : std::nullopt;
  if (!whole || *whole < min || *whole > max) return std::nullopt;
  return static_cast<std::int64_t>(*whole);
}

namespace {

Result<Json> parse(std::string_view text, bool outline) {
  // Some releases of the library give no reason for it.
  if (text.empty()) return Error{Errc::kInvalid, at_byte(1, "empty")};
  // The library would take a NUL for the end of the text and not look behind it.
  if (const auto nul = text.find('\0'); nul != text.npos) return Error{Errc::kInvalid, at_byte(nul + 1, "NUL")};
  Builder builder(outline);
  if (!Library::sax_parse(text.begin(), text.end(), &builder)) return Error{Errc::kInvalid, builder.failure()};
  return builder.take_root();
}

}  // namespace

Result<Json> parse_json(std::string_view text) { return parse(text, false); }

Result<Json> parse_json_outline(std::string_view text) { return parse(text, true); }

}  // namespace metergate
