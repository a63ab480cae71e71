#include <signal.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "agent/base/exit_status.h"
#include "agent/base/json.h"
#include "agent/run/agent.h"
#include "agent/run/boot.h"
#include "agent/run/memory.h"

namespace metergate {

namespace {

// A stop takes at most 5 s: its parts.
constexpr Millis kStopBuses{1'300};
constexpr Millis kStopSending{3'000};
constexpr Millis kStopStore{500};
constexpr Millis kStorePatience{60'000};    // a commit on worn flash
constexpr Millis kForwardPatience{30'000};  // waits for the store
constexpr Millis kLookAtThreads{1'000};
constexpr Millis kLookAtCheck{50};  // while a new configuration is checked

sigset_t signal_set(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

/// What the main thread waits for: SIGTERM and SIGINT stop, SIGHUP reads the configuration again.
sigset_t awaited_signals() { return signal_set({SIGTERM, SIGINT, SIGHUP}); }

bool stop_is_pending() {
  const sigset_t stop = signal_set({SIGTERM, SIGINT});
  const timespec now{};
  return sigtimedwait(&stop, nullptr, &now) > 0;
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

Agent::End Agent::run() {
  // First what may be wrong in files, then the store: nothing is changed before all files are known to be right.
  if (const Status uplink = open_uplink(); !uplink) return {refuse(uplink.error())};
  if (const Status http = open_http(); !http) return {refuse(http.error())};
  if (const Status key = read_remote_key(); !key) return {refuse(key.error())};
  if (const Status store = open_store(); !store) return {refuse(store.error())};
  make_parts();
  make_control();

  Watchdog watchdog(heartbeats(), systemd_notify(), systemd_watchdog(), log_);

  const Draft started =
      event_draft(stamp_of(clock_), "started", started_detail(store_->opened(), METERGATE_VERSION, site_.config));
  FileStore::Hooks hooks;
  hooks.committed = [this] { forwarder_->committed(); };
  hooks.work = [this] { store_thread_.wake.notify(); };
  hooks.ended = [this] { fail_stop("the store cannot go on in this run"); };
  if (const Status begun = store_->begin(epoch_, started, hooks); !begun) return {refuse(begun.error())};
  if (const Status threads = start_threads(); !threads) {
    const int status = refuse(threads.error());
    watchdog.stopping();
    if (!stop_threads()) ::_exit(status);
    return {status};
  }
  log_.info("started", {{"gateway", options_.gateway}, {"epoch", epoch_}, {"version", METERGATE_VERSION}});
  watchdog.ready();
  give_back_memory_of_start();
  end_guard();
  if (remote_) {
    remote_->ready();
    dispatch_thread_.wake.notify();
  }
  End end = wait_for_the_end(watchdog);
  if (!end.again) watchdog.stopping();
  end.ready = true;
  const bool all_ended = stop_threads();
  log_.info("stopped", {{"epoch", epoch_}});
  if (failed_) end.status = EX_SOFTWARE;
  end.again = end.again && !failed_ && !stop_is_pending();
  if (!all_ended && end.again) log_.error("cannot start again", {{"why", start_again(command_line_.arguments)}});
  if (!all_ended) ::_exit(end.status);  // a thread hangs in a call and still uses what a destructor would destroy
  return end;
}

Status Agent::start(AgentThread& thread, Task task) {
  thread.service = std::make_unique<ServiceThread>(std::move(task), thread.heartbeat, clock_, log_,
                                                   [this](const std::string& why) { fail_stop(why); });
  return thread.service->start();
}

Status Agent::start_threads() {
  Task store = make_task(
      "store", [this](MonoTime now) { return store_->step(now); }, store_thread_.wake);
  store.patience = kStorePatience;
  store.finish = [this] {
    const Status finished = store_->finish();
    if (!finished) log_.error("not everything is durable", {{"why", finished.error().detail}});
  };
  if (Status s = start(store_thread_, std::move(store)); !s) return s;
  if (Status s = begin_epoch(); !s) return s;

  Task dispatch = make_task(
      "dispatch",
      [this](MonoTime now) {
        const MonoTime changer = remote_ ? remote_->step(now) : MonoTime::max();
        return std::min({dispatcher_->step(now), events_->step(now), clock_watch_->step(now), changer});
      },
      dispatch_thread_.wake);
  dispatch.patience = kForwardPatience;
  if (Status s = start(dispatch_thread_, std::move(dispatch)); !s) return s;

  for (BusThread& bus : buses_) {
    Task task = make_task(
        bus.thread.heartbeat.name(), [&bus](MonoTime now) { return bus.worker->step(now); }, bus.thread.wake);
    task.patience = bus.patience;
    task.finish = [&bus] { bus.worker->finish(); };
    if (Status s = start(bus.thread, std::move(task)); !s) return s;
  }

  Task forward = make_task(
      "forward",
      [this](MonoTime now) {
        if (stop_sending_.exchange(false)) forwarder_->stop(now);
        const MonoTime next = forwarder_->step(now);
        if (forwarder_->stopped()) sending_stopped_ = true;
        return next;
      },
      forward_thread_.wake);
  forward.patience = kForwardPatience;
  if (Status s = start(forward_thread_, std::move(forward)); !s) return s;

  if (http_) {
    Task http;
    http.name = "http";
    http.step = [this](MonoTime now) { return std::min(http_->handlers->step(now), http_->server->step(now)); };
    http.wait_until = [this](MonoTime t) { http_->server->wait_until(t); };
    http.notify = [this] { http_->server->notify(); };
    if (Status s = start(http_->thread, std::move(http)); !s) return s;
  }

  if (!control_) return {};
  Task control;
  control.name = "control";
  control.step = [this](MonoTime now) { return control_->step(now); };
  control.wait_until = [this](MonoTime t) { control_->wait_until(t); };
  control.notify = [this] { control_->notify(); };
  return start(control_thread_, std::move(control));
}

void Agent::begin_config_check(Watchdog& watchdog) {
  const MonoTime now = clock_.mono();
  log_.info("SIGHUP: checking flags and files");
  watchdog.reloading(now);
  config_check_.reset();
  auto check = ConfigCheck::start(command_line_.arguments, now);
  if (check) {
    config_check_ = std::move(*check);
  } else {
    refuse_config(check.error().detail, watchdog);
  }
}

void Agent::refuse_config(const std::string& errors, Watchdog& watchdog) {
  std::string why = errors;
  for (std::size_t at = why.find('\n'); at != std::string::npos; at = why.find('\n')) why.replace(at, 1, "; ");
  log_.error("the new configuration is refused, nothing changes", {{"why", why}});
  JsonWriter json;
  json.member("why", why);
  events_->tell("config_refused", "", json.take());
  dispatch_thread_.wake.notify();
  watchdog.ready();
}

/// True once, when the check that SIGHUP began has found a usable configuration.
bool Agent::config_is_right(Watchdog& watchdog) {
  if (!config_check_) return false;
  const auto checked = config_check_->step(clock_.mono());
  if (!checked) return false;
  config_check_.reset();
  const Status usable = *checked ? check_store_owner() : *checked;
  if (!usable) refuse_config(usable.error().detail, watchdog);
  return static_cast<bool>(usable);
}

/// What `check` does not see in a store that is in use: that it is another gateway's.
Status Agent::check_store_owner() const {
  const auto parsed = parse_command_line(command_line_.arguments, command_line_.environment);
  if (const auto* wrong = std::get_if<UsageError>(&parsed)) return Error{Errc::kInvalid, wrong->message};
  const Options& next = std::get_if<Invocation>(&parsed)->options;
  if (next.store.path != options_.store.path || next.gateway == options_.gateway) return {};
  return Error{Errc::kInvalid, "--gateway-id '" + next.gateway + "': the store " + next.store.path + " belongs to '" +
                                   options_.gateway + "'; keep that id, or give another --store"};
}

Agent::End Agent::wait_for_the_end(Watchdog& watchdog) {
  const sigset_t signals = awaited_signals();
  for (;;) {
    if (config_is_right(watchdog)) {
      log_.info("the new configuration is right, starting again with it");
      return {EX_OK, true};
    }
    if (restart_wanted_) {
      watchdog.reloading(clock_.mono());
      return {EX_OK, true};
    }
    const MonoTime now = clock_.mono();
    const MonoTime next = std::min(watchdog.step(now), now + (config_check_ ? kLookAtCheck : kLookAtThreads));
    const auto wait = std::max(Nanos{0}, Nanos{next - now});
    timespec pause{};
    pause.tv_sec = static_cast<time_t>(wait.count() / 1'000'000'000);
    pause.tv_nsec = static_cast<long>(wait.count() % 1'000'000'000);
    const int signal = sigtimedwait(&signals, nullptr, &pause);
    if (signal == SIGHUP) begin_config_check(watchdog);
    if (signal == SIGTERM || signal == SIGINT) return {failed_ ? EX_SOFTWARE : EX_OK};
  }
}

/// True when every thread has ended.
bool Agent::stop_threads() {
  const auto left = [this](MonoTime until) {
    return std::max(Millis{0}, std::chrono::duration_cast<Millis>(until - clock_.mono()));
  };
  const MonoTime buses_until = clock_.mono() + kStopBuses;
  std::vector<const AgentThread*> first{&dispatch_thread_, &control_thread_};
  if (http_) first.push_back(&http_->thread);
  for (const BusThread& bus : buses_) first.push_back(&bus.thread);
  for (const AgentThread* thread : first) thread->stop();
  bool all = true;
  for (const AgentThread* thread : first) all = thread->join(left(buses_until)) && all;
  events_->finish();

  const MonoTime sending_until = clock_.mono() + kStopSending;
  stop_sending_ = true;
  forward_thread_.wake.notify();
  while (forward_thread_.service && !sending_stopped_ && clock_.mono() < sending_until)
    clock_.sleep_until(clock_.mono() + Millis{10});
  forward_thread_.stop();
  all = forward_thread_.join(left(sending_until)) && all;

  store_thread_.stop();
  return store_thread_.join(kStopStore) && all;
}

int run_agent(const Options& options, const CommandLine& command_line) {
  share_one_heap();
  const sigset_t signals = awaited_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  for (const int signal : {SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM}) ::signal(signal, SIG_IGN);
  // A core dump would hold the broker's password and the private key.
  if (!options.uplink.password_file.empty() || !options.uplink.key_file.empty() || !options.http_token_file.empty())
    prctl(PR_SET_DUMPABLE, 0);
  auto site = make_site(options);
  if (const auto* wrong = std::get_if<UsageError>(&site)) {
    std::fputs(error_lines(wrong->message).c_str(), stderr);
    return wrong->status;
  }
  guard_start(command_line, options.remote);
  auto agent = std::make_unique<Agent>(options, std::move(*std::get_if<Site>(&site)), command_line);
  const Agent::End end = agent->run();
  agent.reset();
  end_guard();
  const bool returns = !end.ready && end.status != EX_OK && give_up_trial(options.remote);
  if (!end.again && !returns) return end.status;
  std::fprintf(stderr, "metergate: cannot start again: %s\n", start_again(command_line.arguments).c_str());
  return EX_SOFTWARE;
}

}  // namespace metergate
