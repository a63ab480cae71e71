#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "drivers/profile/decode.h"

namespace metergate {

/// A file of tests/unit/drivers/profile/dumps: its README tells the form.
struct RegisterDump {
  std::map<std::pair<Table, std::uint16_t>, std::uint16_t> registers;
  std::map<std::string, Words> items;  ///< data items by identifier, their bytes
  std::vector<std::string> values;     ///< `name = value unit`

  RegisterImage image() const {
    RegisterImage image;
    for (const auto& [place, word] : registers) image.put({place.first, place.second, 1}, {word});
    for (const auto& [item, bytes] : items) {
      const Family family = item.size() == 8 ? Family::kDlt645 : Family::kDlt645Of1997;
      image.put(whole_item(static_cast<std::uint32_t>(std::stoul(item, nullptr, 16)), family), bytes);
    }
    return image;
  }
};

inline RegisterDump register_dump(const std::string& profile) {
  RegisterDump dump;
  std::ifstream file(std::string(METERGATE_DUMPS) + "/" + profile + ".txt");
  EXPECT_TRUE(file) << "tests/unit/dumps has no " << profile << ".txt";
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line.find(" = ") != std::string::npos) {
      dump.values.push_back(line);
      continue;
    }
    std::replace(line.begin(), line.end(), ':', ' ');
    std::istringstream words(line);
    std::string table;
    int address = 0;
    words >> table;
    if (table == "di") {
      std::string item;
      words >> item;
      for (std::string byte; words >> byte;) {
        dump.items[item].push_back(static_cast<std::uint16_t>(std::stoi(byte, nullptr, 16)));
      }
      continue;
    }
    words >> address;
    EXPECT_TRUE(table == "input" || table == "holding") << line;
    for (std::string word; words >> word; ++address) {
      dump.registers[{table == "input" ? Table::kInput : Table::kHolding, static_cast<std::uint16_t>(address)}] =
          static_cast<std::uint16_t>(std::stoi(word, nullptr, 16));
    }
  }
  return dump;
}

}  // namespace metergate
