#pragma once

#include <string>

#include "agent/config/subcommand_table.h"

namespace metergate {

/// `metergate --help`.
std::string overview();
/// What stands above and below the options in `metergate COMMAND --help`.
std::string usage_of(const SubcommandInfo& subcommand);
std::string forms_of(const SubcommandInfo& subcommand);

}  // namespace metergate
