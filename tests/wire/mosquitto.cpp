#include "tests/wire/mosquitto.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "agent/base/fd.h"
#include "tests/wire/free_port.h"
#include "tests/wire/rst_proxy.h"

namespace metergate {

namespace {
const SystemClock kClock;

bool answers(int port) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = on_loopback(port);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

void pause_for(Millis d) { kClock.sleep_until(kClock.mono() + d); }

WireFolder::WireFolder() : path_("/tmp/metergate-wire-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no folder in /tmp");
}

WireFolder::~WireFolder() { std::filesystem::remove_all(path_); }

std::string WireFolder::write(const std::string& name, const std::string& content) const {
  std::ofstream(path(name)) << content;
  return path(name);
}

Program::Program(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], STDOUT_FILENO);
    ::setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  out_ = ends[0];
}

Program::~Program() {
  wait(Millis{0});
  ::close(out_);
}

std::string Program::line(Millis patience) {
  const MonoTime deadline = kClock.mono() + patience;
  for (;;) {
    const std::size_t end = rest_.find('\n');
    if (end != std::string::npos) {
      std::string line = rest_.substr(0, end);
      rest_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::duration_cast<Millis>(deadline - kClock.mono());
    pollfd p{out_, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&p, 1, static_cast<int>(left.count())) <= 0) return {};
    char buffer[65536];
    const ssize_t n = ::read(out_, buffer, sizeof buffer);
    if (n <= 0) return {};
    rest_.append(buffer, static_cast<std::size_t>(n));
  }
}

int Program::wait(Millis patience) {
  const MonoTime deadline = kClock.mono() + patience;
  while (pid_ > 0) {
    if (::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
    if (pid_ > 0 && kClock.mono() >= deadline) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status_, 0);
      pid_ = -1;
    }
    if (pid_ > 0) pause_for(Millis{2});
  }
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

void Program::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

bool run_program(const std::vector<std::string>& arguments) { return Program(arguments).wait(Millis{20'000}) == 0; }

Mosquitto::Mosquitto(const std::vector<std::string>& lines) : port_(free_port()) {
  std::string text = "listener " + std::to_string(port_) +
                     " 127.0.0.1\npersistence false\nlog_type all\nlog_dest file " + folder_.path("log") +
                     "\nmax_queued_messages 0\nuser root\n";
  for (const std::string& line : lines) text += line + "\n";
  if (lines.empty()) text += "allow_anonymous true\n";
  folder_.write("mosquitto.conf", text);
  start();
}

void Mosquitto::start() {
  process_ = std::make_unique<Program>(std::vector<std::string>{"mosquitto", "-c", folder_.path("mosquitto.conf")});
  for (int i = 0; i < 500; ++i) {
    if (answers(port_)) return;
    pause_for(Millis{10});
  }
  throw std::runtime_error("mosquitto does not start: " + log());
}

void Mosquitto::stop() {
  process_->signal(SIGTERM);
  process_->wait(Millis{3000});
}

std::string Mosquitto::log() const {
  std::ostringstream text;
  text << std::ifstream(folder_.path("log")).rdbuf();
  return text.str();
}

int Mosquitto::logged(const std::string& words, int wanted, Millis patience) const {
  const MonoTime deadline = kClock.mono() + patience;
  for (;;) {
    const std::string text = log();
    int n = 0;
    for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++n;
    if (n >= wanted || kClock.mono() >= deadline) return n;
    pause_for(Millis{10});
  }
}

void Mosquitto::publish(const std::string& topic, const std::string& payload, bool retained) const {
  std::vector<std::string> arguments{"mosquitto_pub", "-h", "127.0.0.1", "-p", std::to_string(port_), "-q", "1", "-t",
                                     topic,           "-m", payload};
  if (retained) arguments.emplace_back("-r");
  if (!run_program(arguments)) throw std::runtime_error("mosquitto_pub failed");
}

std::unique_ptr<Program> Mosquitto::subscriber(const std::string& filter) const {
  const int before = logged("Sending SUBACK");
  auto child = std::make_unique<Program>(std::vector<std::string>{
      "mosquitto_sub", "-h", "127.0.0.1", "-p", std::to_string(port_), "-q", "1", "-t", filter, "-F", "%t %p"});
  if (logged("Sending SUBACK", before + 1, Millis{5000}) <= before) throw std::runtime_error("mosquitto_sub failed");
  return child;
}

}  // namespace metergate
