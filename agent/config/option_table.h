#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/options.h"
#include "agent/config/subcommand_table.h"

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

struct OptionInfo {
  std::string group;  ///< empty: not shown in the help
  std::string name;
  std::string value;   ///< its form; empty: a switch
  std::string preset;  ///< the default as the help shows it
  std::string help;
  std::function<std::optional<UsageError>(Invocation&, const Setting&)> apply;
  Subcommands subcommands = kForAll;
  bool repeatable = false;

  /// May stand in a file or the environment too.
  bool of_agent() const { return subcommands == kForAll && apply; }
};

/// All options, in the order of the help. The parser itself handles those without `apply` (help, version, config).
/// `apply` is never given an empty value; a switch is given `yes` or `no`.
const std::vector<OptionInfo>& option_table();
const OptionInfo* find_option(const std::string& name);
/// Names of the options that `subcommands` take; for "did you mean".
std::vector<std::string> option_names(Subcommands subcommands);

/// Why an option whose value would be a secret is refused; empty for any other name.
std::string special_refusal(const std::string& option);

}  // namespace metergate
