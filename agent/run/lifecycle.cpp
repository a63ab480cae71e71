#include <signal.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "agent/base/exit_status.h"
#include "agent/run/agent.h"

namespace metergate {

namespace {

constexpr Millis kStopBuses{1'300};  // the parts of a stop, 5 s together
constexpr Millis kStopSending{3'000};
constexpr Millis kStopRest{500};
constexpr Millis kStorePatience{60'000};    // a commit on worn flash
constexpr Millis kForwardPatience{30'000};  // waits for the store
constexpr Millis kSupervise{1'000};

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

int Agent::refuse(const Error& error) const {
  std::fprintf(stderr, "metergate: %s\n", error.detail.c_str());
  return exit_status_of(error);
}

void Agent::fail_stop(const std::string& why) {
  log_.error("ending the process", {{"why", why}});
  failed_ = true;
  ::kill(::getpid(), SIGTERM);  // blocked everywhere, taken by main
}

int Agent::run() {
  // Order: what can be wrong in files first, then the store, which is the only thing that is changed.
  if (const Status uplink = open_uplink(); !uplink) return refuse(uplink.error());
  if (const Status http = open_http(); !http) return refuse(http.error());
  if (const Status store = open_store(); !store) return refuse(store.error());
  make_parts();
  make_control();

  Watchdog supervisor(heartbeats(), systemd_notify(), systemd_watchdog(), log_);

  const Draft started = event_draft(stamp_of(clock_), "started", started_detail(store_->opened(), METERGATE_VERSION));
  const FileStore::Hooks hooks{[this] { forwarder_->committed(); }, [this] { store_wake_.notify(); },
                               [this] { fail_stop("the store cannot go on in this run"); }};
  if (const Status begun = store_->begin(epoch_, started, hooks); !begun) return refuse(begun.error());
  if (const Status threads = start_threads(); !threads) return refuse(threads.error());
  log_.info("started", {{"gateway", options_.gateway}, {"epoch", epoch_}, {"version", METERGATE_VERSION}});
  supervisor.ready();
  const int status = wait_for_the_end(supervisor);
  const bool all_ended = stop_threads(supervisor);
  log_.info("stopped", {{"epoch", epoch_}});
  if (!all_ended) ::_exit(status);  // a thread hangs in a call that nothing ends; it uses what a destructor would take
  return status;
}

Status Agent::start(std::unique_ptr<ServiceThread>& runner, Task task, Heartbeat& heartbeat) {
  runner = std::make_unique<ServiceThread>(std::move(task), heartbeat, clock_, log_,
                                           [this](const std::string& why) { fail_stop(why); });
  return runner->start();
}

Status Agent::start_threads() {
  Task store = make_task(
      "store", [this](MonoTime now) { return store_->step(now); }, store_wake_);
  store.patience = kStorePatience;
  store.finish = [this] {
    const Status finished = store_->finish();
    if (!finished) log_.error("not everything is durable", {{"why", finished.error().detail}});
  };
  if (Status s = start(store_runner_, std::move(store), store_beat_); !s) return s;
  if (Status s = begin_epoch(); !s) return s;

  Task dispatch = make_task(
      "dispatch",
      [this](MonoTime now) {
        return std::min({dispatcher_->step(now), events_->step(now), clock_watch_->step(now)});
      },
      dispatch_wake_);
  dispatch.patience = kForwardPatience;
  if (Status s = start(dispatch_runner_, std::move(dispatch), dispatch_beat_); !s) return s;

  for (BusThread& thread : buses_) {
    Task task = make_task(
        "bus", [&thread](MonoTime now) { return thread.worker->step(now); }, thread.wake);
    task.name += " " + thread.worker->state().name;
    task.patience = thread.patience;
    if (Status s = start(thread.runner, std::move(task), thread.heartbeat); !s) return s;
  }

  Task forward = make_task(
      "forward",
      [this](MonoTime now) {
        if (stop_sending_.exchange(false)) forwarder_->stop(now);
        const MonoTime next = forwarder_->step(now);
        if (forwarder_->stopped()) sending_stopped_ = true;
        return next;
      },
      forward_wake_);
  forward.patience = kForwardPatience;
  if (Status s = start(forward_runner_, std::move(forward), forward_beat_); !s) return s;

  if (http_) {
    Task http{"http",
              [this](MonoTime now) { return std::min(http_->site->step(now), http_->port->step(now)); },
              [this](MonoTime t) { http_->port->wait_until(t); },
              [this] { http_->port->notify(); },
              {}};
    if (Status s = start(http_->runner, std::move(http), http_->heartbeat); !s) return s;
  }

  if (!control_) return {};
  Task control{"control",
               [this](MonoTime now) { return control_->step(now); },
               [this](MonoTime t) { control_->wait_until(t); },
               [this] { control_->notify(); },
               {}};
  return start(control_runner_, std::move(control), control_beat_);
}

int Agent::wait_for_the_end(Watchdog& supervisor) {
  const sigset_t signals = stop_signals();
  for (;;) {
    const MonoTime now = clock_.mono();
    const MonoTime next = std::min(supervisor.step(now), now + kSupervise);
    const auto wait = std::max(Nanos{0}, Nanos{next - now});
    timespec pause{};
    pause.tv_sec = static_cast<time_t>(wait.count() / 1'000'000'000);
    pause.tv_nsec = static_cast<long>(wait.count() % 1'000'000'000);
    const int signal = sigtimedwait(&signals, nullptr, &pause);
    if (signal > 0) return failed_ ? EX_SOFTWARE : EX_OK;
  }
}

/// True when every thread has ended.
bool Agent::stop_threads(Watchdog& supervisor) {
  supervisor.stopping();
  bool all = true;
  const MonoTime buses_until = clock_.mono() + kStopBuses;
  for (BusThread& thread : buses_) thread.runner->stop();
  dispatch_runner_->stop();
  if (control_runner_) control_runner_->stop();
  if (http_) http_->runner->stop();
  const auto left = [this](MonoTime until) {
    return std::max(Millis{0}, std::chrono::duration_cast<Millis>(until - clock_.mono()));
  };
  for (BusThread& thread : buses_) all = thread.runner->join(left(buses_until)) && all;
  all = dispatch_runner_->join(left(buses_until)) && all;
  if (control_runner_) all = control_runner_->join(left(buses_until)) && all;
  if (http_) all = http_->runner->join(left(buses_until)) && all;

  const MonoTime sending_until = clock_.mono() + kStopSending;
  stop_sending_ = true;
  forward_wake_.notify();
  while (!sending_stopped_ && clock_.mono() < sending_until) clock_.sleep_until(clock_.mono() + Millis{10});
  forward_runner_->stop();
  all = forward_runner_->join(left(sending_until)) && all;

  store_runner_->stop();
  return store_runner_->join(kStopRest) && all;
}

int run_agent(const Options& options) {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  // A core dump would hold the broker's password and the private key.
  if (!options.uplink.password_file.empty() || !options.uplink.key_file.empty() || !options.http_token_file.empty())
    prctl(PR_SET_DUMPABLE, 0);
  auto site = make_site(options);
  if (const auto* wrong = std::get_if<UsageError>(&site)) {
    std::fprintf(stderr, "metergate: %s\n", wrong->message.c_str());
    return wrong->status;
  }
  Agent agent(options, std::move(*std::get_if<metergate::Site>(&site)));
  return agent.run();
}

}  // namespace metergate
