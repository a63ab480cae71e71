#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/base/result.h"

namespace metergate {

/// What a process was started with. Outlives what uses it.
struct CommandLine {
  std::vector<std::string> arguments;              ///< from the subcommand on
  std::map<std::string, std::string> environment;  ///< the METERGATE_ variables
};

/// `metergate check` of this process's own flags, environment and files, as they are now, in a child process: the flags
/// may name what this process cannot try beside what it uses. One thread.
class ConfigCheck {
 public:
  static constexpr Millis kPatience{60'000};

  /// `arguments`: from the subcommand on. Errors: kFull (no process for it).
  static Result<ConfigCheck> start(const std::vector<std::string>& arguments, MonoTime now);
  ConfigCheck(ConfigCheck&& other) noexcept;
  ConfigCheck& operator=(ConfigCheck&& other) noexcept;
  /// Ends the child if it still runs.
  ~ConfigCheck();

  /// Nothing while it runs. Then whether a start would succeed; kInvalid with what is wrong, an error a line, kTimeout
  /// after kPatience. Does not block; call it some times a second until it has answered.
  std::optional<Status> step(MonoTime now);

 private:
  ConfigCheck(pid_t child, Fd errors, MonoTime until) : child_(child), errors_(std::move(errors)), until_(until) {}
  void read_errors();
  pid_t child_;  // 0: it has ended
  Fd errors_;
  MonoTime until_;
  std::string text_;
};

/// Starts the program of this process again, with `arguments` and the environment: the same pid, and every other thread
/// ends. Returns only when that is not possible, with the reason.
std::string start_again(const std::vector<std::string>& arguments);

}  // namespace metergate
