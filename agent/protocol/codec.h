#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"
#include "agent/protocol/route.h"
#include "drivers/bus.h"
#include "drivers/profile/decode.h"
#include "store/outbox.h"

namespace metergate {

/// The wire format of what goes up, in one place. All pure.

/// Wall time and whether it was to be trusted then.
struct Stamp {
  UtcTime at{};
  bool synced = false;
};
inline Stamp stamp_of(const Clock& clock) { return Stamp{clock.utc(), clock.synced()}; }

/// A failure as a backend reads it: `timeout`, `exception_2`, `no_ratio` ... and a sentence.
struct Failure {
  std::string code;
  std::string message;
};
Failure failure_of(const Error& error);

struct Reading {
  Stamp stamp;  ///< of its first answer
  std::string meter, poll;
  std::optional<UtcTime> slot;
  Millis span{0};  ///< from the first answer to the last
  std::string catalog, serial;
  std::vector<std::pair<std::string, Value>> values;  ///< in the order of the profile
  std::vector<std::pair<std::string, Failure>> errors;
  std::vector<std::pair<std::string, std::vector<std::string>>> flags;
  std::optional<Failure> error;  ///< set: nothing could be read
};
/// Bytes of a record without its id and number, so that a message with it alone has at most 64 KiB.
constexpr std::size_t kMaxRecordBody = (64 << 10) - 512;

Draft reading_draft(const Reading& reading, bool keep_high);
/// The same as what is sent: one that is too large for a record is split by points into records with `part` and
/// `parts`, each with the quality of the whole.
std::vector<Draft> reading_drafts(const Reading& reading, bool keep_high);

struct CommandResult {
  Stamp stamp;
  std::string command, op;
  std::string meter;  ///< or
  std::optional<Route> route;
  std::string status;  ///< done, failed, expired, rejected, unknown
  std::optional<Failure> error;
  std::optional<Failure> read_back;  ///< why the read-back of a write failed
  std::vector<std::pair<std::string, Value>> values;
  std::vector<std::pair<std::string, Failure>> errors;  ///< of single points
  std::optional<Words> registers;
  std::vector<std::pair<std::string, Words>> items;  ///< of a route: their bytes
  std::string more;                                  ///< further members, as JSON text without braces
  UtcTime received{};
  std::optional<UtcTime> started, finished;
  Micros took{0};  ///< by the transactions; not sent
};
/// A result that is too large for a record becomes a failure, `overflow`.
Draft result_draft(const CommandResult& result);

/// `detail`: a JSON object's text.
Draft event_draft(Stamp stamp, std::string_view name, const std::string& detail);

/// The dedup id, the number and the body: what is kept and sent, byte by byte the same in every repeat.
std::string record_bytes(const std::string& gateway, const std::string& epoch, Lane lane, std::int64_t seq,
                         const std::string& body);
RecordFormat record_format(const std::string& gateway, const Clock& clock);
std::string started_detail(const Opened& opened, const std::string& version, const std::string& config = "");

struct Topics {
  std::string status, catalog, commands, receipts;
  std::string lanes[kLanes];
};
Topics topics_of(const std::string& prefix, const std::string& gateway);

struct StatusMessage {
  std::string gateway, version, epoch;
  bool online = false;
  UtcTime at{}, since{};
  std::optional<std::array<std::int64_t, kLanes>> last;
  std::string config{};  ///< 8 hex digits; empty: not told
};
std::string status_payload(const StatusMessage& status);
/// The epoch that a status message names, if it is one.
std::optional<std::string> epoch_of_status(std::string_view payload);

/// Nothing if it is none.
std::optional<Receipt> parse_receipt(std::string_view payload);

/// A value as JSON.
std::string value_json(const Value& value);

}  // namespace metergate
