#include "tests/sim/item_frame.h"

namespace metersim {

namespace {

constexpr const char* kDigits = "0123456789ABCDEF";

unsigned sum_of(const Bytes& bytes, std::size_t from, std::size_t to) {
  unsigned sum = 0;
  for (std::size_t i = from; i < to; ++i) sum += bytes[i];
  return sum & 0xFFU;
}

unsigned value_of(char digit) {
  return digit >= 'A' ? static_cast<unsigned>(digit - 'A') + 10 : static_cast<unsigned>(digit - '0');
}

}  // namespace

std::optional<ItemFrame> request_at_end(const Bytes& heard) {
  if (heard.empty() || heard.back() != 0x16) return std::nullopt;
  for (std::size_t i = 0; i + 12 <= heard.size(); ++i) {
    if (heard[i] != 0x68 || heard[i + 7] != 0x68 || i + 12 + heard[i + 9] != heard.size()) continue;
    if (sum_of(heard, i, heard.size() - 2) != heard[heard.size() - 2] || (heard[i + 8] & 0x80U) != 0) continue;
    ItemFrame frame;
    for (std::size_t k = 6; k > 0; --k) {
      frame.address += kDigits[heard[i + k] / 16];
      frame.address += kDigits[heard[i + k] % 16];
    }
    frame.control = heard[i + 8];
    for (std::size_t k = 0; k < heard[i + 9]; ++k)
      frame.data.push_back(static_cast<std::uint8_t>(heard[i + 10 + k] - 0x33));
    return frame;
  }
  return std::nullopt;
}

Bytes item_frame_bytes(const ItemFrame& frame, int preamble) {
  Bytes bytes(static_cast<std::size_t>(preamble), 0xFE);
  const std::size_t start = bytes.size();
  bytes.push_back(0x68);
  for (int k = 5; k >= 0; --k) {
    const auto at = static_cast<std::size_t>(2 * k);
    bytes.push_back(static_cast<std::uint8_t>(16 * value_of(frame.address[at]) + value_of(frame.address[at + 1])));
  }
  bytes.push_back(0x68);
  bytes.push_back(frame.control);
  bytes.push_back(static_cast<std::uint8_t>(frame.data.size()));
  for (const auto byte : frame.data) bytes.push_back(static_cast<std::uint8_t>(byte + 0x33));
  bytes.push_back(static_cast<std::uint8_t>(sum_of(bytes, start, bytes.size())));
  bytes.push_back(0x16);
  return bytes;
}

Bytes bcd_bytes(std::int64_t number, int count) {
  Bytes bytes;
  for (int i = 0; i < count; ++i, number /= 100)
    bytes.push_back(static_cast<std::uint8_t>(number % 100 / 10 * 16 + number % 10));
  return bytes;
}

}  // namespace metersim
