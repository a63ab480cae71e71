#include "tests/sim/profile_file.h"

#include <algorithm>
#include <fstream>

#include "tests/sim/text.h"

namespace metersim {
namespace {

constexpr const char* kTables[] = {"coil", "discrete", "input", "holding"};

std::string value_or(const std::map<std::string, std::string>& keys, const std::string& name,
                     const std::string& otherwise) {
  const auto found = keys.find(name);
  return found == keys.end() ? otherwise : found->second;
}

FilePoint parse_point(const std::string& name, const std::string& line, const std::string& order) {
  const auto words = words_in_line(line);
  FilePoint point;
  point.name = name;
  if (words.size() < 3) throw Refused("'" + line + "' is no TABLE ADDRESS TYPE");
  const bool item = words[0] == "di";
  if (!item) point.table = parse_table(words[0]);
  point.type = words[2];
  for (std::size_t i = 3; i < words.size(); ++i)
    if (words[i].find('=') != std::string::npos) point.keys.insert(key_value(words[i]));
  if (item) {
    point.item = words[1];
    const auto bits = split(point.key("bits"), ':');
    if (point.type == "bits") point.first_bit = static_cast<unsigned>(whole_number(bits[0], 0, 63, "bits"));
    return point;
  }
  point.order = point.key("order", order);
  for (const auto& part : split(point.key("parts", words[1]), '+'))
    point.addresses.push_back(static_cast<std::uint16_t>(whole_number(part, 0, 65535, "address of " + name)));
  if (point.type == "bits") {
    const auto bits = split(point.key("bits"), ':');
    point.first_bit = static_cast<unsigned>(whole_number(bits[0], 0, 15, "bits"));
    point.bits = static_cast<unsigned>(whole_number(bits.size() > 1 ? bits[1] : "", 1, 16, "bits"));
  }
  if (point.is_bit()) point.addresses[0] = static_cast<std::uint16_t>(point.addresses[0] + point.first_bit);
  point.registers = registers_of(point) / static_cast<int>(point.addresses.size());
  return point;
}

void put(std::vector<FilePoint>& points, FilePoint point) {
  const auto same = std::find_if(points.begin(), points.end(), [&](const auto& p) { return p.name == point.name; });
  if (same != points.end())
    *same = std::move(point);
  else
    points.push_back(std::move(point));
}

using Lines = std::vector<std::pair<std::string, std::string>>;

/// Points are kept as text until every header line is known: the word order there is their default.
void read_into(const std::string& path, ProfileFile& profile, Lines& points, int depth) {
  std::ifstream file(path);
  if (!file) throw Refused(path + ": cannot be read");
  std::string line, section;
  Lines own;
  for (int number = 1; std::getline(file, line); ++number) {
    line = trimmed(line);
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '[') {
      section = line;
      continue;
    }
    const auto at = line.find('=');
    if (at == std::string::npos) throw Refused(path + ":" + std::to_string(number) + ": '" + line + "' has no '='");
    auto pair = key_value(line);
    if (section == "[points]") {
      own.push_back(std::move(pair));
    } else if (pair.first == "extends") {
      if (depth > 4) throw Refused(path + ": extends too deep");
      const auto slash = path.rfind('/');
      ProfileFile base;
      read_into((slash == std::string::npos ? "" : path.substr(0, slash + 1)) + pair.second + ".ini", base, points,
                depth + 1);
      profile.header.insert(base.header.begin(), base.header.end());
    } else {
      profile.header[pair.first] = pair.second;
    }
  }
  points.insert(points.end(), own.begin(), own.end());
}

}  // namespace

std::vector<std::string> words_in_line(const std::string& line) {
  std::vector<std::string> words;
  bool quoted = false, inside = false;
  for (const char c : line) {
    const bool blank = !quoted && (c == ' ' || c == '\t');
    if (c == '"') quoted = !quoted;
    if (!blank && !inside) words.emplace_back();
    if (!blank && c != '"') words.back() += c;
    inside = !blank;
  }
  return words;
}

Table parse_table(const std::string& text) {
  for (int i = 0; i < 4; ++i)
    if (text == kTables[i]) return static_cast<Table>(i);
  throw Refused("'" + text + "' is no table (coil, discrete, input, holding)");
}

int registers_of(const FilePoint& point) {
  static const std::map<std::string, int> widths = {{"u8", 1},   {"i8", 1},  {"u16", 1}, {"i16", 1},  {"sm16", 1},
                                                    {"bits", 1}, {"u32", 2}, {"i32", 2}, {"sm32", 2}, {"f32", 2},
                                                    {"u48", 3},  {"i48", 3}, {"u64", 4}, {"i64", 4},  {"f64", 4}};
  if (point.is_bit()) return static_cast<int>(point.bits);
  if (point.type == "bcd" || point.type == "m10k" || point.type == "string") return point.number("registers", 2);
  if (point.type == "time") {
    const std::string form = point.key("form", "unix");
    return form == "unix" ? 2 : form == "bcd" ? 3 : point.number("registers", 6);
  }
  const auto found = widths.find(point.type);
  if (found == widths.end()) throw Refused("'" + point.type + "' is no known type");
  return found->second;
}

const char* table_name(Table table) { return kTables[static_cast<int>(table)]; }

std::string FilePoint::key(const std::string& key_name, const std::string& otherwise) const {
  return value_or(keys, key_name, otherwise);
}

int FilePoint::number(const std::string& key_name, int otherwise) const {
  const std::string text = key(key_name);
  return text.empty() ? otherwise : static_cast<int>(whole_number(text, 0, 65535, key_name));
}

std::string ProfileFile::key(const std::string& name, const std::string& otherwise) const {
  return value_or(header, name, otherwise);
}

const FilePoint* ProfileFile::find(const std::string& point) const {
  const auto found = std::find_if(points.begin(), points.end(), [&](const auto& p) { return p.name == point; });
  return found == points.end() ? nullptr : &*found;
}

ProfileFile read_profile(const std::string& path) {
  ProfileFile profile;
  Lines lines;
  read_into(path, profile, lines, 0);
  for (const auto& [name, line] : lines) {
    try {
      put(profile.points, parse_point(name, line, profile.key("order", "ABCD")));
    } catch (const Refused& why) {
      throw Refused(path + ": " + name + ": " + why.what());
    }
  }
  return profile;
}

}  // namespace metersim
