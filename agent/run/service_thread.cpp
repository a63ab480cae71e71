#include "agent/run/service_thread.h"

#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <system_error>
#include <utility>

namespace metergate {
namespace {

/// No wait is longer, so that a lost wake-up costs at most a minute and a heartbeat promises no more.
constexpr Millis kLongestWait{60'000};
constexpr Millis kJoinPatience{10'000};

}  // namespace

Task make_task(std::string name, std::function<MonoTime(MonoTime)> step, Wake& wake) {
  Task task;
  task.name = std::move(name);
  task.step = std::move(step);
  task.wait_until = [&wake](MonoTime t) { wake.wait_until(t); };
  task.notify = [&wake] { wake.notify(); };
  return task;
}

ServiceThread::ServiceThread(Task task, Heartbeat& heartbeat, const Clock& clock, Log& log, FailStop fail_stop)
    : task_(std::move(task)),
      heartbeat_(heartbeat),
      clock_(clock),
      log_(log),
      fail_stop_(std::move(fail_stop)),
      ended_(end_.get_future()) {}

ServiceThread::~ServiceThread() {
  stop();
  if (!join(kJoinPatience)) {
    log_.error("thread does not end, aborting the process", {{"thread", task_.name}});
    std::abort();
  }
}

Status ServiceThread::start() {
  heartbeat_.busy_until(clock_.mono() + task_.patience);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& e) {
    return Error{Errc::kFull, "cannot start the thread " + task_.name + ": " + e.what() +
                                  "; raise the limit of tasks (TasksMax, ulimit -u)"};
  }
  return {};
}

void ServiceThread::stop() {
  stop_ = true;
  task_.notify();
}

bool ServiceThread::join(Millis patience) {
  if (!thread_.joinable()) return true;
  if (ended_.wait_for(patience) != std::future_status::ready) return false;
  thread_.join();
  return true;
}

void ServiceThread::run() {
  pthread_setname_np(pthread_self(), task_.name.substr(0, 15).c_str());
  std::string why;
  try {
    loop();
  } catch (const std::exception& e) {
    why = e.what();
    if (why.empty()) why = "an exception without a text";
  } catch (...) {
    why = "an exception of unknown type";
  }
  if (why.empty()) {
    heartbeat_.ended();
  } else {
    heartbeat_.failed();
    log_.error("thread failed, ending the process", {{"thread", task_.name}, {"why", why}});
    fail_stop_(task_.name + ": " + why);
  }
  end_.set_value();
}

void ServiceThread::loop() {
  while (!stop_) {
    const MonoTime now = clock_.mono();
    heartbeat_.busy_until(now + task_.patience);
    const MonoTime wanted = task_.step(now);
    const MonoTime after = clock_.mono();
    if (wanted <= after) continue;
    const MonoTime next = std::min(wanted, after + kLongestWait);
    heartbeat_.busy_until(next + task_.patience);
    task_.wait_until(next);
  }
  if (!task_.finish) return;
  heartbeat_.busy_until(clock_.mono() + task_.patience);
  task_.finish();
}

}  // namespace metergate
