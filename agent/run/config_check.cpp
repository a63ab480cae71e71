#include "agent/run/config_check.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/base/text.h"

extern char** environ;  // POSIX declares it in no header

namespace metergate {
namespace {

const char* const kOwnProgram = "/proc/self/exe";
const std::string kErrorPrefix = "metergate: ";  // of each error that `check` writes
constexpr std::size_t kLongestText = 8192;

std::vector<char*> argv_of(std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return argv;
}

std::vector<std::string> with_program(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"metergate"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

/// The errors among the lines that `check` wrote, without its warnings.
std::string errors_in(const std::string& text) {
  std::string errors;
  for (const std::string& line : split(text, '\n')) {
    if (line.compare(0, kErrorPrefix.size(), kErrorPrefix) != 0) continue;
    errors += (errors.empty() ? "" : "\n") + line.substr(kErrorPrefix.size());
  }
  return errors;
}

}  // namespace

Result<ConfigCheck> ConfigCheck::start(const std::vector<std::string>& arguments, MonoTime now) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    return Error{Errc::kFull, std::string("cannot check the configuration: ") + std::strerror(errno)};
  }
  Fd reading(ends[0]), writing(ends[1]);
  std::vector<std::string> words = with_program(arguments);
  words[1] = "check";

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, writing.get(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, kOwnProgram, &files, &attributes, argv_of(words).data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (failed != 0) {
    return Error{Errc::kFull, std::string("cannot start 'metergate check': ") + std::strerror(failed)};
  }
  return ConfigCheck(child, std::move(reading), now + kPatience);
}

ConfigCheck::ConfigCheck(ConfigCheck&& other) noexcept
    : child_(std::exchange(other.child_, 0)),
      errors_(std::move(other.errors_)),
      until_(other.until_),
      text_(std::move(other.text_)) {}

ConfigCheck& ConfigCheck::operator=(ConfigCheck&& other) noexcept {
  std::swap(child_, other.child_);
  std::swap(errors_, other.errors_);
  std::swap(until_, other.until_);
  std::swap(text_, other.text_);
  return *this;
}

ConfigCheck::~ConfigCheck() {
  if (child_ == 0) return;
  ::kill(child_, SIGKILL);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ConfigCheck::read_errors() {
  std::array<char, 1024> chunk{};
  for (ssize_t n = 0; (n = ::read(errors_.get(), chunk.data(), chunk.size())) > 0;) {
    const auto room = kLongestText - std::min(kLongestText, text_.size());
    text_.append(chunk.data(), std::min(room, static_cast<std::size_t>(n)));
  }
}

std::optional<Status> ConfigCheck::step(MonoTime now) {
  read_errors();
  int status = 0;
  if (::waitpid(child_, &status, WNOHANG) == 0) {
    if (now < until_) return std::nullopt;
    return Status(Error{Errc::kTimeout, "'metergate check' did not end within " + format_duration(kPatience)});
  }
  child_ = 0;
  read_errors();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Status();
  const std::string why = errors_in(text_);
  return Status(Error{Errc::kInvalid, why.empty() ? "'metergate check' failed without a message" : why});
}

std::string start_again(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = with_program(arguments);
  ::execv(kOwnProgram, argv_of(words).data());
  return std::strerror(errno);
}

}  // namespace metergate
