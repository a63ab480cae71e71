#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/result.h"

namespace metergate {

/// A configuration from afar that is not confirmed yet.
struct RemoteTrial {
  enum class Phase { kNew, kStarting, kRunning };
  std::string version;   ///< its folder below --remote
  std::string command;   ///< the id of the command that brought it
  std::string from, to;  ///< 8 hex digits each: what was in force before, and with it
  Millis within{0};      ///< to be confirmed after so much running time
  Millis spent{0};       ///< of it
  int starts = 0;        ///< of the process with it
  Phase phase = Phase::kNew;
};

/// How a trial ended: `confirmed`, `not_confirmed` or `cannot_start`.
struct RemoteOutcome {
  std::string command, how, from, to;
};

/// What --remote holds, as the file `state` in it says. The file is replaced as a whole, so that at any moment either
/// what was before or what is new is in force.
struct RemoteState {
  static constexpr std::size_t kMostOutcomes = 16;

  std::string confirmed;  ///< the version that is in force without a trial; empty: none, what is local alone
  std::optional<RemoteTrial> trial;
  std::vector<RemoteOutcome> outcomes;  ///< the newest last
  std::int64_t versions = 0;            ///< made so far

  const std::string& in_force() const {
    return trial && trial->phase != RemoteTrial::Phase::kNew ? trial->version : confirmed;
  }
};

std::string remote_state_text(const RemoteState& state);
/// Errors: kCorrupt.
Result<RemoteState> parse_remote_state(std::string_view text);

}  // namespace metergate
