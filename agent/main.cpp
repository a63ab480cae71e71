#include <cstdio>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "agent/cli/subcommands.h"
#include "agent/run/agent.h"
#include "agent/run/boot.h"

extern char** environ;  // POSIX declares it in no header

namespace {

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    if (text.rfind("METERGATE_", 0) == 0 && equals != std::string::npos)
      out[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace metergate;
  const CommandLine command_line{{argv + 1, argv + argc}, own_environment()};
  const bool run = argc > 1 && command_line.arguments[0] == "run";
  const auto parsed = run ? boot(command_line) : parse_command_line(command_line.arguments, command_line.environment);
  if (const auto* wrong = std::get_if<UsageError>(&parsed)) {
    std::fputs(error_lines(wrong->message).c_str(), stderr);
    return wrong->status;
  }
  const Invocation& invocation = *std::get_if<Invocation>(&parsed);
  for (const std::string& warning : invocation.warnings) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  switch (invocation.subcommand) {
    case Invocation::Subcommand::kRun:
      return run_agent(invocation.options, command_line);
    case Invocation::Subcommand::kCheck:
      return run_check(invocation, std::cout, std::cerr, agent_at(invocation.options.control), SystemClock());
    case Invocation::Subcommand::kRead:
      return run_read(invocation, std::cout, std::cerr);
    case Invocation::Subcommand::kScan:
      return run_scan(invocation, std::cout, std::cerr);
    case Invocation::Subcommand::kStore:
      return run_store(invocation, std::cout, std::cerr, agent_at(invocation.options.control), SystemClock());
    case Invocation::Subcommand::kPause:
    case Invocation::Subcommand::kResume:
      return run_pause(invocation, std::cout, std::cerr, agent_at(invocation.options.control));
    case Invocation::Subcommand::kSign:
      return run_sign(invocation, std::cin, std::cout, std::cerr);
    case Invocation::Subcommand::kTrace:
      return run_trace(invocation, std::cout, std::cerr, agent_at(invocation.options.control), SystemClock());
    case Invocation::Subcommand::kProfiles:
      return run_profiles(invocation, std::cout, std::cerr);
    case Invocation::Subcommand::kHelp:
    case Invocation::Subcommand::kVersion:
      break;
  }
  std::cout << invocation.text;
  return 0;
}
