#include "drivers/dlt645/frame.h"

#include <numeric>

namespace metergate {

namespace {

constexpr std::size_t kAddressBytes = Dlt645Frame::kAddressBytes, kOverhead = Dlt645Frame::kOverhead;
constexpr std::uint8_t kStart = 0x68, kEnd = 0x16, kPreamble = 0xFE, kAdded = 0x33;
constexpr std::size_t kSecondStart = 7, kControl = 8, kLength = 9, kData = 10;
constexpr const char* kHex = "0123456789ABCDEF";

std::uint8_t digit_of(char c) { return static_cast<std::uint8_t>(c <= '9' ? c - '0' : (c & ~0x20) - 'A' + 10); }

std::uint8_t sum_of(const std::uint8_t* bytes, std::size_t size) {
  return static_cast<std::uint8_t>(std::accumulate(bytes, bytes + size, 0U));
}

/// Decimal digits, or AA in a wildcard.
bool is_address(const std::uint8_t* bytes) {
  for (std::size_t i = 0; i < kAddressBytes; ++i) {
    const bool decimal = (bytes[i] >> 4) < 10 && (bytes[i] & 0xF) < 10;
    if (!decimal && bytes[i] != 0xAA) return false;
  }
  return true;
}

enum class Look { kNone, kWhole, kDamaged };

/// What stands at `from`; `end` is behind it.
Look look_at(const Bytes& bytes, std::size_t from, std::size_t* end) {
  const std::uint8_t* const at = bytes.data() + from;
  const std::size_t size = bytes.size() - from;
  if (at[0] != kStart || size < kOverhead || at[kSecondStart] != kStart) return Look::kNone;
  const std::size_t length = kOverhead + at[kLength];
  if (size < length) return Look::kNone;
  *end = from + length;
  if (at[length - 1] != kEnd || at[length - 2] != sum_of(at, length - 2)) return Look::kDamaged;
  return is_address(at + 1) ? Look::kWhole : Look::kDamaged;
}

Dlt645Frame frame_at(const std::uint8_t* at) {
  Dlt645Frame frame;
  for (std::size_t i = kAddressBytes; i > 0; --i) {
    frame.address += kHex[at[i] >> 4];
    frame.address += kHex[at[i] & 0xF];
  }
  frame.control = at[kControl];
  for (std::size_t i = 0; i < at[kLength]; ++i) {
    frame.data.push_back(static_cast<std::uint8_t>(at[kData + i] - kAdded));
  }
  return frame;
}

}  // namespace

Bytes to_bytes(const Dlt645Frame& frame, int preamble) {
  Bytes bytes(static_cast<std::size_t>(preamble), kPreamble);
  const std::size_t begin = bytes.size();
  bytes.push_back(kStart);
  for (std::size_t i = kAddressBytes; i > 0; --i) {
    const std::uint8_t high = digit_of(frame.address[2 * i - 2]);
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | digit_of(frame.address[2 * i - 1])));
  }
  bytes.push_back(kStart);
  bytes.push_back(frame.control);
  bytes.push_back(static_cast<std::uint8_t>(frame.data.size()));
  for (const std::uint8_t byte : frame.data) bytes.push_back(static_cast<std::uint8_t>(byte + kAdded));
  bytes.push_back(sum_of(bytes.data() + begin, bytes.size() - begin));
  bytes.push_back(kEnd);
  return bytes;
}

namespace {

std::optional<FoundDlt645> first_of(const Bytes& bytes, bool damaged) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::size_t end = 0;
    const Look look = look_at(bytes, i, &end);
    if (look == Look::kWhole || (damaged && look == Look::kDamaged)) {
      return FoundDlt645{frame_at(bytes.data() + i), i, end};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<FoundDlt645> find_dlt645(const Bytes& bytes) { return first_of(bytes, false); }

std::optional<FoundDlt645> outline_dlt645(const Bytes& bytes) { return first_of(bytes, true); }

bool is_called(const std::string& called, const std::string& address) {
  const std::size_t known = called.find_last_of('A') + 1;  // npos + 1 is 0
  return called.size() == address.size() && called.compare(known, std::string::npos, address, known) == 0;
}

bool holds_damaged_dlt645(const Bytes& bytes) { return outline_dlt645(bytes).has_value() && !find_dlt645(bytes); }

}  // namespace metergate
