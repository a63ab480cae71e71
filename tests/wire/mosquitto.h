#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/base/clock.h"

namespace metergate {

/// A folder that goes with the test.
class WireFolder {
 public:
  WireFolder();
  ~WireFolder();
  WireFolder(const WireFolder&) = delete;
  WireFolder& operator=(const WireFolder&) = delete;
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& content) const;  ///< returns its path

 private:
  std::string path_;
};

/// Another program, whose output is read line by line. Killed with this object.
class Program {
 public:
  /// The first word is looked for in /usr/sbin as well.
  explicit Program(const std::vector<std::string>& arguments);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// The next line of its standard output without the line break; empty after `patience` without one, or at its end.
  std::string line(Millis patience);
  /// Its exit status; kills it after `patience`.
  int wait(Millis patience);
  void signal(int number) const;

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int status_ = -1;
  std::string rest_;
};

/// A real broker on a loopback port of its own. Logs everything.
class Mosquitto {
 public:
  /// `lines`: of its configuration, beside listener and log; "allow_anonymous true" if there are none.
  explicit Mosquitto(const std::vector<std::string>& lines = {});

  int port() const { return port_; }
  const WireFolder& folder() const { return folder_; }
  void start();
  void stop();  ///< forgets all sessions
  std::string log() const;
  /// How many lines of the log hold the words; waits up to `patience` for `wanted` of them.
  int logged(const std::string& words, int wanted = 0, Millis patience = Millis{2000}) const;
  void publish(const std::string& topic, const std::string& payload, bool retained = false) const;
  /// mosquitto_sub -q 1; each line is topic, blank, payload. Returns when it is subscribed.
  std::unique_ptr<Program> subscriber(const std::string& filter) const;

 private:
  WireFolder folder_;
  int port_;
  std::unique_ptr<Program> process_;
};

/// Runs a program to its end; true when it ended with 0.
bool run_program(const std::vector<std::string>& arguments);
void pause_for(Millis d);

}  // namespace metergate
