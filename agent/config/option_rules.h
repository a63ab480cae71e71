#pragma once

#include <optional>

#include "agent/config/option_sources.h"

namespace metergate {

/// What an option alone cannot tell: what is missing, what does not go together, what is there twice. Completes
/// defaults that depend on other options.
std::optional<UsageError> complete(OptionSources& sources);

}  // namespace metergate
