#pragma once

#include <cstddef>
#include <string>

namespace metergate {

/// A message on a record topic, built record by record: `{"gateway":G,"records":[...]}`. With `bare` the record itself,
/// one a message.
class RecordFrame {
 public:
  /// `limit`: bytes of the whole message; only one record alone may be over it.
  RecordFrame(const std::string& gateway, bool bare, std::size_t limit) : bare_(bare), limit_(limit) {
    if (!bare_) text_ = "{\"gateway\":\"" + gateway + "\",\"records\":[";
  }

  /// False: it does not fit and was not added.
  bool add(const std::string& record) {
    if (records_ > 0 && (bare_ || text_.size() + 1 + record.size() + kTail > limit_)) return false;
    if (records_ > 0) text_ += ',';
    text_ += record;
    ++records_;
    return true;
  }
  std::size_t records() const { return records_; }
  std::string take() { return std::move(text_) + (bare_ ? "" : "]}"); }

 private:
  static constexpr std::size_t kTail = 2;
  bool bare_;
  std::size_t limit_;
  std::size_t records_ = 0;
  std::string text_;
};

}  // namespace metergate
