#pragma once

#include <string>
#include <vector>

#include "agent/config/option_table.h"

namespace metergate {

struct CommandInfo {
  std::string name;
  Commands bit = 0;  ///< 0: still to come
  Invocation::Command command = Invocation::Command::kHelp;
  std::string usage;    ///< what follows the name, a form a line
  std::string summary;  ///< one sentence
};
const std::vector<CommandInfo>& command_table();
const CommandInfo* find_command(const std::string& name);
std::vector<std::string> command_names();

/// `metergate --help`.
std::string overview();
/// What stands above and below the options in `metergate COMMAND --help`.
std::string usage_of(const CommandInfo& command);
std::string forms_of(const CommandInfo& command);

}  // namespace metergate
