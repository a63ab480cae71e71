#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace metersim {

enum class Table { kCoil, kDiscrete, kInput, kHolding };

/// `coil`, `discrete`, `input` or `holding`; throws Refused.
Table parse_table(const std::string& text);
const char* table_name(Table table);

/// One line of [points]: where a quantity lies and how it is written there.
struct FilePoint {
  std::string name;
  Table table = Table::kHolding;
  std::vector<std::uint16_t> addresses;  ///< one, or one per part, high first
  int registers = 1;                     ///< of each part; of coils and discrete inputs: bits
  unsigned first_bit = 0, bits = 1;      ///< of type bits
  std::string type;
  std::string item;   ///< identifier of a data item, instead of table and addresses
  std::string order;  ///< ABCD, CDAB, BADC, DCBA
  std::map<std::string, std::string> keys;

  std::string key(const std::string& name, const std::string& otherwise = "") const;
  int number(const std::string& name, int otherwise) const;
  bool is_bit() const { return table == Table::kCoil || table == Table::kDiscrete; }
};

/// Words between blanks; a part in double quotes keeps its blanks and loses the quotes.
std::vector<std::string> words_in_line(const std::string& line);

/// Registers of a point's type, over all its parts. Throws Refused.
int registers_of(const FilePoint& point);

/// A profile as a meter needs it. A reader of its own: what it gets wrong in common with nobody, a comparison of values
/// shows.
struct ProfileFile {
  std::map<std::string, std::string> header;
  std::vector<FilePoint> points;

  std::string key(const std::string& name, const std::string& otherwise = "") const;
  const FilePoint* find(const std::string& point) const;
};

/// `extends = NAME` is looked up as NAME.ini beside the file. Throws Refused with file and line.
ProfileFile read_profile(const std::string& path);

}  // namespace metersim
