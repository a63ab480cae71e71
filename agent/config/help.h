#pragma once

#include <string>
#include <vector>

#include "agent/config/option_table.h"

namespace metergate {

struct SubcommandInfo {
  std::string name;
  Commands bit = 0;  ///< 0: still to come
  Invocation::Command command = Invocation::Command::kHelp;
  std::string usage;    ///< what follows the name, a form a line
  std::string summary;  ///< one sentence
};
const std::vector<SubcommandInfo>& command_table();
const SubcommandInfo* find_command(const std::string& name);
std::vector<std::string> command_names();

/// `metergate --help`.
std::string overview();
/// What stands above and below the options in `metergate COMMAND --help`.
std::string usage_of(const SubcommandInfo& command);
std::string forms_of(const SubcommandInfo& command);

}  // namespace metergate
