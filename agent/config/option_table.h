#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/options.h"

namespace metergate {

/// A value of an option and where it was written.
struct Setting {
  std::string option;
  std::string value;
  Place place;
  bool in_file = false;
};

/// `PLACE: detail` with the exit status of flags or files.
UsageError refused(const Setting& setting, const std::string& detail);

constexpr const char* kDefaultStore = "/var/lib/metergate/metergate.db";

using Commands = unsigned;  ///< a set of bits
constexpr Commands kForRun = 1, kForCheck = 2, kForRead = 4, kForProfiles = 8, kForPause = 16, kForResume = 32,
                   kForScan = 64, kForStore = 128;
/// Options of the agent: every command takes them, so that one file of flags serves all.
constexpr Commands kForAll =
    kForRun | kForCheck | kForRead | kForProfiles | kForPause | kForResume | kForScan | kForStore;

struct OptionInfo {
  std::string group;  ///< empty: not shown in the help
  std::string name;
  std::string value;   ///< its form; empty: a switch
  std::string preset;  ///< the default as the help shows it
  std::string help;
  std::function<std::optional<UsageError>(Invocation&, const Setting&)> apply;
  Commands commands = kForAll;
  bool repeatable = false;

  /// May stand in a file or the environment too.
  bool of_agent() const { return commands == kForAll && apply; }
};

/// All options, in the order of the help. Those without `apply` (help, version, config) are the parser's own.
/// `apply` is never given an empty value; a switch is given `yes` or `no`.
const std::vector<OptionInfo>& option_table();
const OptionInfo* find_option(const std::string& name);
/// Names of the options that `commands` take; for "did you mean".
std::vector<std::string> option_names(Commands commands);

/// Why an unknown option is refused that names a secret or a thing still to come; empty for any other.
std::string special_refusal(const std::string& option);

}  // namespace metergate
