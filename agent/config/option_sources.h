#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/config/option_table.h"
#include "agent/config/remote_overlay.h"

namespace metergate {

/// Puts the settings of all sources into one Invocation, in the order of the calls: later ones win.
class OptionSources {
 public:
  using Refusal = std::optional<UsageError>;

  /// A setting that may be `@FILE` or a stray word (both without an option name).
  Refusal add(const Setting& setting);
  Refusal add_file(const std::string& path);
  /// The METERGATE_ variables. Empty ones count as not set; those that are no option give a warning.
  Refusal add_environment(const std::map<std::string, std::string>& environment);

  /// What comes from afar: of the options that it names nothing is taken from the sources that are added from now on.
  void expect(const RemoteOverlay& overlay);
  /// The same, last of all.
  Refusal add_remote(const RemoteOverlay& overlay);

  Invocation& invocation() { return invocation_; }
  const std::vector<std::string>& words() const { return words_; }
  bool given(const std::string& option) const { return given_.count(option) != 0; }
  /// Whether the value that counts was written in a file.
  bool given_in_file(const std::string& option) const {
    const auto found = given_.find(option);
    return found != given_.end() && found->second;
  }

 private:
  Refusal apply(const OptionInfo& option, const Setting& setting);

  Invocation invocation_;
  std::vector<std::string> words_;
  std::set<std::string> left_out_;     // options that come from afar
  std::map<std::string, bool> given_;  // by option: whether its last value stands in a file
};

/// `METERGATE_GATEWAY_ID` for `gateway-id`.
std::string variable_name(const std::string& option);

}  // namespace metergate
