#include "agent/config/meter_password.h"

#include <sys/stat.h>

#include "agent/base/text.h"

namespace metergate {

namespace {

constexpr std::size_t kLargestFile = 4096;
constexpr std::size_t kDigits = 6, kOperatorDigits = 8;
constexpr int kHighestLevel = 99;
constexpr unsigned kOthers = 077;

bool is_digits(const std::string& text, std::size_t count) {
  return text.size() == count && text.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

Result<Password> read_password(const std::string& path) {
  const auto text = read_file(path, kLargestFile);
  if (!text) return text.error();
  struct stat file {};
  if (stat(path.c_str(), &file) == 0 && (file.st_mode & kOthers) != 0) {
    return Error{Errc::kInvalid, in_quotes(path) + " may be read by others than its owner; chmod 600 mends it"};
  }
  std::vector<std::string> words;
  for (const std::string& word : split(trim(*text), ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  const auto level = parse_integer(words.empty() ? "" : words[0], 0, kHighestLevel);
  const bool good = level && (words.size() == 2 || words.size() == 3) && is_digits(words[1], kDigits) &&
                    (words.size() == 2 || is_digits(words[2], kOperatorDigits));
  if (!good) {
    return Error{Errc::kInvalid, in_quotes(path) +
                                     " does not hold LEVEL PASSWORD [OPERATOR], a level such as 2, a "
                                     "password of 6 digits and an operator of 8"};
  }
  return Password{static_cast<int>(*level), words[1], words.size() == 3 ? words[2] : std::string(kOperatorDigits, '0')};
}

}  // namespace metergate
