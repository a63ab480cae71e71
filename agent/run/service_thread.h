#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <thread>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/result.h"
#include "agent/base/wake.h"
#include "agent/run/heartbeat.h"

namespace metergate {

/// Called once by a thread that cannot go on, after it has logged why. It must bring the process to its end and may
/// return.
using FailStop = std::function<void(const std::string& why)>;

/// What a thread does. Everything in it outlives the ServiceThread.
struct Task {
  std::string name;  ///< of the thread; the kernel shows 15 characters
  /// Does one thing and says when to be called next. May be called too early or when there is nothing to do.
  std::function<MonoTime(MonoTime)> step;
  std::function<void(MonoTime)> wait_until;  ///< between steps; ended by notify
  std::function<void()> notify;              ///< any thread
  std::function<void()> finish;              ///< may be empty; the thread's last call after stop(), not after a failure
  Millis patience{10'000};                   ///< a step takes no longer, unless it says so to the heartbeat
};
Task make_task(std::string name, std::function<MonoTime(MonoTime)> step, Wake& wake);

/// A thread that runs a task: the only place where logic meets a thread. It has the signal mask of the thread that
/// calls start(). An exception that escapes from the task is logged, ends the thread, and is given to `fail_stop`.
class ServiceThread {
 public:
  ServiceThread(Task task, Heartbeat& heartbeat, const Clock& clock, Log& log, FailStop fail_stop);
  /// Stops and joins. Aborts the process if the thread does not end within 10 s: it would use what is destroyed.
  ~ServiceThread();
  ServiceThread(const ServiceThread&) = delete;
  ServiceThread& operator=(const ServiceThread&) = delete;

  /// Errors: kFull (the system gives no thread).
  Status start();
  /// Asks for the end; returns at once. A step or finish that runs is not interrupted.
  void stop();
  /// Waits at most `patience` for the end that stop() asked for. False: the thread still runs and uses what its task
  /// uses; the process then has to end without destructors.
  [[nodiscard]] bool join(Millis patience);

 private:
  void loop();
  void run();
  Task task_;
  Heartbeat& heartbeat_;
  const Clock& clock_;
  Log& log_;
  FailStop fail_stop_;
  std::atomic<bool> stop_{false};
  std::promise<void> end_;
  std::future<void> ended_;
  std::thread thread_;
};

}  // namespace metergate
