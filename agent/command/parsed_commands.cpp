#include "agent/command/parsed_commands.h"

#include <utility>

namespace metergate {

void ParsedCommands::put(std::int64_t key, Parsed parsed) {
  const std::lock_guard<std::mutex> hold(mutex_);
  parsed_.insert_or_assign(key, std::move(parsed));
  if (parsed_.size() > kMost) parsed_.erase(parsed_.begin());
}

std::optional<ParsedCommands::Parsed> ParsedCommands::take(std::int64_t key) {
  const std::lock_guard<std::mutex> hold(mutex_);
  const auto found = parsed_.find(key);
  if (found == parsed_.end()) return std::nullopt;
  Parsed parsed = std::move(found->second);
  parsed_.erase(found);
  return parsed;
}

}  // namespace metergate
