#pragma once

#include <optional>

#include "agent/config/option_sources.h"

namespace metergate {

/// Rules that need more than one option: what is missing, does not go together, or is there twice. Sets the defaults
/// that depend on other options.
std::optional<UsageError> complete(OptionSources& sources);

}  // namespace metergate
