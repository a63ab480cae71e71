#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/json.h"
#include "agent/base/result.h"
#include "agent/config/remote_overlay.h"
#include "agent/protocol/route.h"
#include "drivers/bus.h"
#include "drivers/profile/decode.h"
#include "store/archive.h"

namespace metergate {

/// A new configuration, or a part of one.
struct RemoteChange {
  std::string base;  ///< 8 hex digits: over which configuration it is written
  RemoteText text;
  Millis within{0};  ///< to be confirmed in this running time
  int part = 1, parts = 1;
};
/// What an operation from afar was signed as.
struct SignedText {
  std::string text;       ///< the bytes, JSON of the same operation
  std::string signature;  ///< as it came; nothing is checked here
  std::string gateway;    ///< for which it is meant
  UtcTime not_after{};
};
constexpr Millis kShortestTrial{10'000};
constexpr Millis kUsualTrial = std::chrono::minutes(10);
constexpr Millis kLongestTrial = std::chrono::hours(24);
constexpr std::size_t kUsualLogLines = 200, kMostLogLines = 10'000;

/// What the backend asks, checked for form: names are not looked up, values not compared with a profile.
struct Command {
  enum class Op {
    kRead,
    kWrite,
    kStatus,
    kCatalog,
    kPause,
    kResume,
    kReplay,
    kConfiguration,
    kConfigure,
    kConfirm,
    kLog,
    kTrace
  };
  std::string id;
  Op op = Op::kStatus;
  std::string meter;               ///< read, write, replay (where it need not exist any more); empty with a route
  std::optional<Route> route;      ///< read; always with registers or items
  std::optional<Block> registers;  ///< fits one request and the address space
  std::vector<Block> items;        ///< at an address: data items, whole, all of one family
  bool all_points = false;         ///< read of a meter without `points`
  std::vector<std::string> points;
  std::string point;               ///< write
  Value value;                     ///< write: a number with its Decimal, or a text; true and false are refused
  std::optional<UtcTime> expires;  ///< always there in a write
  std::string bus;                 ///< pause, resume, trace
  std::optional<Millis> time;      ///< pause; how long
  std::string catalog;             ///< 8 hex digits; empty: the present one
  std::size_t page = 1;            ///< status, catalog, configuration
  ReplayWish replay;
  RemoteChange change;                    ///< configure; of a signed one, what was signed
  std::optional<SignedText> signed_text;  ///< configure
  std::string config;                     ///< confirm: 8 hex digits
  std::size_t lines = 0;                  ///< log: at most so many
};
const char* op_name(Command::Op op);  ///< "read" ...

/// A payload that is no command, with what of it can be echoed in a result.
struct BadCommand {
  std::string id;    ///< empty: unreadable, no result can be sent
  std::string op;    ///< as written, if it is a word of at most 32 characters
  std::string code;  ///< bad_command or bad_value
  std::string message;
  std::string meter;           ///< at most 128 bytes, else empty
  std::optional<Route> route;  ///< if it is a valid one
};

constexpr Millis kShortestPause{1'000};  ///< of a bus
constexpr Millis kUsualPause = std::chrono::minutes(30);
constexpr Millis kLongestPause = std::chrono::hours(8);

constexpr std::size_t kMaxCommandBytes = 64 << 10;  ///< a larger payload is unreadable

/// {bus, unit} or {bus, address}, {table, address, count, register_bytes} and ["00010000", ...] as a read's `route`,
/// `registers` and `items` hold them. Errors: kInvalid.
Result<Route> parse_route(const Json& object);
Result<Block> parse_registers(const Json& object);
Result<std::vector<Block>> parse_items(const Json& array);

/// {text, files} of a change; nothing when it is none.
std::optional<RemoteText> remote_text_of(const Json& object);

/// Pure. Unknown members are ignored, a null member counts as left out (but a null value is a bad value), of members of
/// one name the last holds.
std::variant<Command, BadCommand> parse_command(std::string_view payload);

}  // namespace metergate
