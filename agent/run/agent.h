#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <string>

#include "agent/admin/control.h"
#include "agent/admin/http_handlers.h"
#include "agent/admin/http_listener.h"
#include "agent/admin/latest_values.h"
#include "agent/admin/status.h"
#include "agent/bus/bus_worker.h"
#include "agent/command/dispatcher.h"
#include "agent/command/intake.h"
#include "agent/protocol/catalog.h"
#include "agent/protocol/clock_watch.h"
#include "agent/run/service_thread.h"
#include "agent/run/watchdog.h"
#include "agent/uplink/forwarder.h"
#include "agent/uplink/replayer.h"
#include "store/sqlite/file_store.h"

namespace metergate {

/// A bus with its thread.
struct BusThread {
  explicit BusThread(const std::string& name) : heartbeat("bus " + name) {}
  std::unique_ptr<BusPause> pause;
  std::unique_ptr<Bus> bus;
  std::unique_ptr<BusWorker> worker;
  Millis patience{0};  ///< the longest that a step may take
  Wake wake;
  Heartbeat heartbeat;
  std::unique_ptr<ServiceThread> runner;
};

/// What --http needs, and its thread.
struct HttpThread {
  std::unique_ptr<HttpHandlers> site;
  std::unique_ptr<HttpListener> port;
  Heartbeat heartbeat{"http"};
  std::unique_ptr<ServiceThread> runner;
};

/// The composition root of `run`: owns every part and every thread. The process has one.
class Agent {
 public:
  Agent(const Options& options, Site site);

  /// Opens store, broker and control socket, starts the threads, waits for SIGTERM, SIGINT or a failure that only a
  /// restart cures, and stops everything. Returns the exit status; does not return when a thread hangs at the end, but
  /// ends the process after everything that was handed to the store is durable.
  int run();

 private:
  // What is made, in agent.cpp.
  Status open_store();
  Status open_uplink();
  Status open_http();
  void make_parts();
  void make_bus(const BusConfig& site);
  void make_control();
  Status begin_epoch();
  std::string status_message(bool online, UtcTime at, UtcTime since, bool with_last) const;
  std::vector<std::string> catalog_payloads();
  Snapshot snapshot() const;
  std::vector<const Heartbeat*> heartbeats() const;

  // What runs, in lifecycle.cpp.
  Status start_threads();
  Status start(std::unique_ptr<ServiceThread>& runner, Task task, Heartbeat& heartbeat);
  int wait_for_the_end(Watchdog& supervisor);
  bool stop_threads(Watchdog& supervisor);
  void fail_stop(const std::string& why);
  int refuse(const Error& error) const;

  const Options& options_;
  const metergate::Site site_;
  SystemClock clock_;
  Log log_;
  const std::string epoch_;
  const UtcTime since_;
  const Catalog catalog_;
  const Topics topics_;

  std::unique_ptr<FileSystem> file_system_;
  std::unique_ptr<FileStore> store_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<Events> events_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<ClockWatch> clock_watch_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Replayer> replayer_;
  std::unique_ptr<Forwarder> forwarder_;
  std::unique_ptr<ControlServer> control_;
  SerialRegistry serials_;
  std::unique_ptr<LatestValues> latest_;  // with --http only
  std::list<BusThread> buses_;

  Wake store_wake_, forward_wake_, dispatch_wake_;
  Heartbeat store_beat_{"store"}, forward_beat_{"forward"}, dispatch_beat_{"dispatch"}, control_beat_{"control"};
  std::atomic<bool> stop_sending_{false}, sending_stopped_{false}, failed_{false};
  // Last: threads end before what they use.
  std::unique_ptr<ServiceThread> store_runner_, forward_runner_, dispatch_runner_, control_runner_;
  std::unique_ptr<HttpThread> http_;  // with --http only
};

/// `metergate run`. Call it before any thread exists: it blocks SIGTERM and SIGINT for the whole process.
int run_agent(const Options& options);

}  // namespace metergate
