#include "agent/base/random.h"

#include <sys/random.h>

#include <array>
#include <memory>
#include <random>

namespace metergate {

namespace {
constexpr int kEpochBytes = 6;

void fill(void* to, std::size_t size) {
  auto* p = static_cast<unsigned char*>(to);
  while (size > 0) {
    const ssize_t n = getrandom(p, size, 0);
    if (n <= 0) continue;
    p += n;
    size -= static_cast<std::size_t>(n);
  }
}
}  // namespace

Draw system_draw() {
  std::uint64_t seed = 0;
  fill(&seed, sizeof seed);
  auto engine = std::make_shared<std::mt19937_64>(seed);  // shared: std::function must be copyable
  return [engine] { return std::uniform_real_distribution<double>(0.0, 1.0)(*engine); };
}

std::string random_epoch() {
  std::array<unsigned char, kEpochBytes> bytes{};
  fill(bytes.data(), bytes.size());
  static const char* const hex = "0123456789abcdef";
  std::string out;
  for (const unsigned char b : bytes) {
    out += hex[b >> 4];
    out += hex[b & 15];
  }
  return out;
}

}  // namespace metergate
