#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/log.h"
#include "agent/base/result.h"
#include "agent/config/endpoint.h"
#include "drivers/bus.h"
#include "store/store.h"

namespace metergate {

/// Where a value was written, for messages: `--batch`, `--bus 'name=plant,...'`, `METERGATE_BUS line 2`,
/// `site.conf:12`, `meters.csv:3`.
using Place = std::string;
int status_of(const Place& place);  ///< exit status of a fault there: 64 for flags and environment, 78 for files

struct BusSpec {
  std::string name;
  BusSettings settings;
  int retries = 1;
  Place place;
};

struct MeterSpec {
  std::string id;
  std::string bus;
  int unit = 0;         ///< Modbus
  std::string address;  ///< of the others, as written; empty: it has a unit
  std::string profile;
  std::string label;
  std::string serial;
  std::vector<std::string> points;  ///< names or patterns; empty: all
  std::string ct, pt;               ///< as written, `200/5`; empty if not given
  bool writable = false;
  std::optional<Millis> timeout;
  std::optional<int> retries;
  Millis gap{0};
  std::optional<int> max_registers;
  std::string password_file;         ///< DL/T 645, for writes
  std::optional<Millis> utc_offset;  ///< of its clock
  std::optional<int> baud;           ///< and the mode, `8E1`: where they differ from the line's others
  std::string mode;
  Place place;
};

/// One schedule of a meter. `every` of --meter makes the poll named "main".
struct PollSpec {
  std::string meter;
  std::string name;
  Millis every{0};                  ///< 0: back to back
  std::vector<std::string> points;  ///< names or patterns; empty: all
  bool keep_high = true;
  Place place;
};

/// One --upstream.
struct UpstreamSpec {
  Upstream upstream;
  Place place;
};

struct UplinkOptions {
  bool to_stdout = false;
  bool tls = false;
  std::vector<Endpoint> brokers;  ///< the nodes of one broker, each once; empty with stdout
  std::string topic_prefix = "metergate";
  std::string client_id;
  std::string username;
  std::string password_file, ca_file, cert_file, key_file;
  Millis keep_alive{20000};
  Millis backoff_min{500};
  Millis backoff_max{30000};
  int max_inflight = 16;
  int batch = 50;
  /// What makes a record delivered: the broker's PUBACK, or a consumer's receipt.
  bool receipts = false;
  Millis receipt_timeout{60000};  ///< without a receipt for so long, acknowledged records are sent again
};

/// Changes from afar.
struct RemoteOptions {
  std::string dir;        ///< holds them; empty: there are none
  bool all = false;       ///< the uplink, too, not only meters
  std::string key_file;   ///< changes have to be signed by its key; empty: they need not
  std::string candidate;  ///< this version instead of the one in force: how a new one is checked
};

struct Options {
  std::string gateway;  ///< may be empty with stdout only
  std::vector<BusSpec> buses;
  std::vector<MeterSpec> meters;
  std::vector<PollSpec> polls;
  std::vector<std::string> profile_dirs;
  std::vector<UpstreamSpec> upstreams;  ///< as written; `uplink` holds what they say together
  UplinkOptions uplink;
  StoreSettings store;
  std::string control = "/run/metergate/control";
  std::optional<Endpoint> http;  ///< a numeric address; beyond loopback only with a token
  std::string http_token_file;
  bool trust_clock = false;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  RemoteOptions remote;
  std::string
      settings;  ///< all that counts, `name = value` a line, and what came from afar: one text, one configuration
};

/// What the command line asks for.
struct Invocation {
  enum class Subcommand {
    kRun,
    kCheck,
    kRead,
    kProfiles,
    kScan,
    kStore,
    kPause,
    kResume,
    kTrace,
    kSign,
    kHelp,
    kVersion
  };
  Subcommand subcommand = Subcommand::kHelp;
  Options options;
  std::string text;  ///< help or version text; the name for `profiles NAME`, the bus for `pause`, `resume`, `trace`,
                     ///< `sign`'s key file
  std::vector<std::string> warnings;  ///< what was ignored, to be logged

  bool broker = false;  ///< check: connect to the broker, too

  Millis pause = std::chrono::minutes(30);  ///< how long `pause` lends the bus's port

  enum class TraceFormat { kText, kJsonLines, kPcapng };
  TraceFormat trace_format = TraceFormat::kText;
  bool follow = false;  ///< trace: goes on with the frames that come

  // store: `text` is waiting, drops, dead, commands or export
  Lane lane = Lane::kReadings;
  std::optional<UtcTime> from, to;
  bool csv = false;

  // read: `meter` or `bus` and `unit`; then `table` (raw) or its points
  std::string meter;
  std::optional<BusSpec> bus;
  int unit = 0;
  std::string profile;
  std::optional<Table> table;
  std::string place;          ///< --address as written: of a register, or of a DL/T 645 meter
  std::optional<Block> item;  ///< of the meter at `place`
  std::uint16_t address = 0, count = 1;
  std::optional<Millis> watch;
  bool all = false;
  int repeat = 1;  ///< rounds with `all`
  bool json = false;

  // scan, of the last bus of `options`
  std::vector<int> units;
  std::vector<int> bauds;              ///< empty: the bus's own, then the usual ones
  std::vector<std::string> modes;      ///< likewise
  std::vector<std::string> protocols;  ///< empty: all
};

constexpr int kWrongFlags = 64;  // EX_USAGE of sysexits.h
constexpr int kWrongFile = 78;   // EX_CONFIG

/// A refused command line or file: the message and the exit status.
struct UsageError {
  std::string message;
  int status = kWrongFlags;
};

/// --remote of the local sources; empty: not given, or they have a fault.
std::string remote_folder(const std::vector<std::string>& arguments,
                          const std::map<std::string, std::string>& environment);

/// `environment` holds the METERGATE_ variables only. Reads the files that the flags name, nothing else.
/// The later source wins: --config, then the environment, then @FILE and flags in the order written. Repeatable options
/// add up. Over all of them stands what came from afar and is in force in --remote.
std::variant<Invocation, UsageError> parse_command_line(const std::vector<std::string>& arguments,
                                                        const std::map<std::string, std::string>& environment);

}  // namespace metergate
