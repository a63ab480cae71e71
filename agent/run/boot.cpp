#include "agent/run/boot.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "agent/base/fd.h"
#include "agent/config/site.h"
#include "agent/remote/remote_trials.h"

namespace metergate {

namespace {

constexpr const char* kCandidate = "--remote-candidate";

/// What can start: flags that fit together and a site that can be made of them.
std::variant<Invocation, UsageError> read_configuration(const CommandLine& command_line, const char* version) {
  std::vector<std::string> arguments = command_line.arguments;
  if (version != nullptr) arguments.insert(arguments.end(), {kCandidate, version});
  auto parsed = parse_command_line(arguments, command_line.environment);
  const auto* invocation = std::get_if<Invocation>(&parsed);
  if (invocation == nullptr || invocation->subcommand != Invocation::Subcommand::kRun) return parsed;
  auto site = make_site(invocation->options);
  if (auto* wrong = std::get_if<UsageError>(&site)) return std::move(*wrong);
  return parsed;
}

void complain(const std::string& what, const std::string& why) {
  std::fprintf(stderr, "metergate: %s: %s\n", what.c_str(), why.c_str());
}

/// Held while this process lives: a second one on the same folder, which will find the store locked, counts no start.
bool is_ours(const std::string& folder) {
  static Fd lock;
  if (lock) return true;
  ::mkdir(folder.c_str(), 0750);
  Fd file(::open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return false;
  lock = std::move(file);
  return true;
}

/// Words and pointers that a signal handler may use.
std::vector<std::string>& words_to_start_with() {
  static std::vector<std::string> words;
  return words;
}
std::vector<char*> argv_to_start_with;

extern "C" void start_over(int) {
  ::execv("/proc/self/exe", argv_to_start_with.data());
  ::_exit(70);
}

}  // namespace

std::variant<Invocation, UsageError> boot(const CommandLine& command_line) {
  ::alarm(0);  // one outlives the start of a program
  const std::string folder = remote_folder(command_line.arguments, command_line.environment);
  if (folder.empty()) return parse_command_line(command_line.arguments, command_line.environment);
  const auto files = remote_files(folder);
  RemoteTrials trials(*files);
  Status known = trials.load();
  if (known && is_ours(folder)) known = trials.start();
  if (!known) complain("--remote " + folder + ", going on with the configuration before", known.error().detail);
  const std::string before = trials.state().confirmed.empty() ? kNoRemoteVersion : trials.state().confirmed;
  const bool trying = known && trials.on_trial();
  auto parsed = read_configuration(command_line, known ? nullptr : before.c_str());
  const auto* wrong = std::get_if<UsageError>(&parsed);
  if (wrong != nullptr && trying) {
    complain("the configuration on trial cannot start, going on with the one before", wrong->message);
    if (Status ended = trials.give_up("cannot_start"); !ended) complain(folder, ended.error().detail);
    parsed = read_configuration(command_line, before.c_str());
    wrong = std::get_if<UsageError>(&parsed);
  }
  if (wrong == nullptr) return parsed;
  auto local = read_configuration(command_line, kNoRemoteVersion);
  if (std::get_if<UsageError>(&local) == nullptr) {
    complain("what came from afar cannot be used, going on without it", wrong->message);
  }
  return local;
}

void guard_start(const CommandLine& command_line, const RemoteOptions& options) {
  if (options.dir.empty()) return;
  const auto files = remote_files(options.dir);
  RemoteTrials trials(*files);
  if (!trials.load() || !trials.on_trial()) return;
  words_to_start_with() = {"metergate"};
  for (const std::string& word : command_line.arguments) words_to_start_with().push_back(word);
  for (std::string& word : words_to_start_with()) argv_to_start_with.push_back(word.data());
  argv_to_start_with.push_back(nullptr);
  struct sigaction action {};
  action.sa_handler = start_over;
  action.sa_flags = SA_NODEFER;  // else the program that follows could not be woken
  sigaction(SIGALRM, &action, nullptr);
  const RemoteTrial& trial = *trials.state().trial;
  const auto left = std::chrono::ceil<std::chrono::seconds>(trial.within - trial.spent);
  ::alarm(static_cast<unsigned>(std::max<long long>(1, left.count())));
}

void end_guard() {
  ::alarm(0);
  ::signal(SIGALRM, SIG_IGN);
}

bool give_up_trial(const RemoteOptions& options) {
  if (options.dir.empty()) return false;
  if (!is_ours(options.dir)) return false;
  const auto files = remote_files(options.dir);
  RemoteTrials trials(*files);
  return trials.load() && trials.on_trial() && trials.give_up("cannot_start");
}

}  // namespace metergate
