#pragma once

#include <string>
#include <vector>

#include "agent/config/options.h"

namespace metergate {

using Subcommands = unsigned;  ///< a set of bits
constexpr Subcommands kForRun = 1, kForCheck = 2, kForRead = 4, kForProfiles = 8, kForPause = 16, kForResume = 32,
                      kForScan = 64, kForStore = 128, kForTrace = 256, kForSign = 512;
/// Options of the agent: every subcommand takes them, so that one file of flags serves all.
constexpr Subcommands kForAll = kForRun | kForCheck | kForRead | kForProfiles | kForPause | kForResume | kForScan |
                                kForStore | kForTrace | kForSign;

/// A subcommand as the command line and the help know it.
struct SubcommandInfo {
  std::string name;
  Subcommands bit = 0;
  Invocation::Subcommand subcommand = Invocation::Subcommand::kHelp;
  std::string usage;    ///< what follows the name, a form a line
  std::string summary;  ///< one sentence
};
const std::vector<SubcommandInfo>& subcommand_table();
const SubcommandInfo* find_subcommand(const std::string& name);
std::vector<std::string> subcommand_names();

}  // namespace metergate
