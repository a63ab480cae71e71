#pragma once

#include <set>
#include <string>

#include "tests/wire/mosquitto.h"

namespace metergate {

/// A payload that tells from its own text whether it is whole: number, length and content follow from the number.
inline std::string whole_payload(int n) {
  std::string text = "{\"n\":" + std::to_string(n) + ",\"fill\":\"";
  std::uint32_t state = static_cast<std::uint32_t>(n) * 2654435761u + 1;
  const std::size_t length = 100 + state % 900;
  while (text.size() < length) {
    state = state * 1664525u + 1013904223u;
    text += static_cast<char>('a' + (state >> 24) % 26);
  }
  return text + "\"}";
}

/// What a consumer got of messages 1, 2, 3 ...
struct Consumed {
  std::set<int> numbers;
  int repeats = 0;
  int broken = 0;  ///< not as it was published, in topic or payload
  std::string sample;

  void take(const std::string& line, const std::string& topic) {
    const std::string head = topic + " {\"n\":";
    const int n = line.compare(0, head.size(), head) == 0 ? std::atoi(line.c_str() + head.size()) : 0;
    if (n <= 0 || line != topic + " " + whole_payload(n)) {
      ++broken;
      sample = line.substr(0, 100);
    } else if (!numbers.insert(n).second) {
      ++repeats;
    }
  }
};

}  // namespace metergate
