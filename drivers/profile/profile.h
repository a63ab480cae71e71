#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/decimal.h"
#include "agent/base/result.h"
#include "drivers/bus.h"

namespace metergate {

enum class PointType {
  kU16,
  kI16,
  kU32,
  kI32,
  kU48,
  kI48,
  kU64,
  kI64,
  kF32,
  kF64,
  kU8,
  kI8,
  kSm16,
  kSm32,
  kBcd,
  kM10k,
  kBits,
  kString,
  kTime,
  kSbcd  ///< of data items: BCD whose top bit is the sign
};
enum class WordOrder { kABCD, kCDAB, kBADC, kDCBA };  ///< as is, words reversed, bytes swapped, both; any width
enum class PointKind { kGauge, kCounter, kState, kText };
enum class Ratio { kNone, kCt, kPt, kCtPt };
/// kDlt: of data items, BCD, low byte first: ss mm hh WW DD MM YY without what is left out (WW is the day of the week).
enum class TimeForm { kUnix, kYmdhms, kBcd, kDlt };

/// How a point is written. Only points with it can be.
struct WriteRule {
  Write::Form form = Write::Form::kRegister;
  std::uint16_t address = 0;
  std::vector<Decimal> allow;      ///< empty: whatever min and max let through
  std::vector<RelayOrder> orders;  ///< of a relay: those that may be given
  std::string verify;              ///< point that shows the value, empty if none does
  Millis verify_after{0};
};

/// One named quantity and where it lies. Plain data; parse_profile has checked it.
/// value = (raw * scale + offset) * 10^exponent * times * ratio, negated where the sign point is not 0.
struct Point {
  std::string name;
  Table table = Table::kHolding;
  std::vector<std::uint16_t> addresses;  ///< one, or one per part (high first)
  int registers = 1;                     ///< of each part; bits in coil and discrete tables, where every type is kBits
  std::vector<Block> places;             ///< with Table::kItem, instead of both: the bytes of each part
  std::optional<Block> in_block;         ///< the same bytes in an item that gives several items at once
  PointType type = PointType::kU16;
  int register_bytes = kRegisterBytes;  ///< 4: the meter answers with so many for each register
  WordOrder order = WordOrder::kABCD;   ///< of the words within each part; not applied to u8, i8
  std::string byte_order;               ///< instead of it: the bytes of a part as they come, A the highest; or empty
  bool high_byte = false;               // u8, i8, and strings of one character a register
  int bit_first = 0, bit_width = 0;     // bit 0 is the lowest; in coil and discrete tables bit_first is 0
  int chars = 2;                        // string: characters a register
  TimeForm time_form = TimeForm::kUnix;

  Decimal scale{1};
  Decimal offset{0};
  std::string exponent_point;  ///< times 10 to (that point's value minus exponent_minus)
  int exponent_minus = 0;
  std::string times_point, sign_point;
  Ratio ratio = Ratio::kNone;
  std::map<std::int64_t, std::string> names;  ///< enum
  std::vector<std::uint64_t> not_available;   ///< raw patterns, after order
  std::optional<Decimal> min, max, wraps;
  std::optional<Decimal> max_rise;  ///< of a counter: more in an hour is no consumption; in its unit, before ratio
  std::string unit, obis;
  PointKind kind = PointKind::kGauge;
  int sources = 2;
  std::optional<WriteRule> write;
  int line = 0;  ///< in its file
};

/// What a meter of this model answers: `point`, read and decoded as any other, has `text` as its Value::text.
struct Identify {
  Point point;
  std::string text;
};

struct Profile {
  std::string name;                 ///< of its file, without .ini
  std::string title, maker, model;  ///< for people; `title` is the file's `name = ...`
  Family family = Family::kModbus;
  int preamble = kUsualPreamble;  ///< FEs before a request
  int password_level = 2;         ///< that its writes need, or a lower one
  int max_registers = kMostRegisters;
  std::optional<int> hole;  ///< registers in a row that are no point's and may be read over; nothing: what cost allows
  Millis pause{0};          ///< at least so long between the end of an answer and the next request
  std::optional<Identify> identify;
  std::vector<Point> points;
  std::string digest;  ///< 8 hex digits over everything that gives the values their meaning

  const Point* find(std::string_view point) const;
  std::vector<std::string> point_names() const;
};

/// As a profile says it: `modbus`, `dlt645-2007` ...
std::string protocol_name(Family family);

/// Gives the text of the profile that `extends` names, or nothing.
using ProfileText = std::function<std::optional<std::string>(const std::string& name)>;

/// The text of a profile, in the format that the comment in drivers/profile/models/raw.ini describes. `base` and
/// `known` (for "did you mean") serve `extends`. Errors: kInvalid with `file:line: 'offending text': what would be
/// right`, a line for each that is wrong, at most 20.
Result<Profile> parse_profile(const std::string& name, const std::string& file, std::string_view text,
                              const ProfileText& base, const std::vector<std::string>& known = {});

/// The compiled-in profiles, and those of further folders, which may add but not redefine one (a copy with the same
/// text is none). Pointers to profiles stay good when the library is moved. One thread.
class ProfileLibrary {
 public:
  /// Reads `NAME.ini` of each folder. Errors: kInvalid with file, line and offending text; kNotFound for a folder.
  static Result<ProfileLibrary> load(const std::vector<std::string>& folders);
  /// A built-in profile is parsed when it is first asked for: all of them take 1 MiB.
  const Profile* find(const std::string& name) const;
  std::vector<std::string> names() const;
  std::optional<std::string> text(const std::string& name) const;  ///< as written

 private:
  struct Entry {
    std::string file;
    std::string text;
    std::unique_ptr<const Profile> profile;  // null: not asked for yet
  };
  Result<bool> add_file(const std::string& file);
  Result<Profile> parse(const std::string& name) const;
  mutable std::map<std::string, Entry> entries_;
};

}  // namespace metergate
