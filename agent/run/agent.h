#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/admin/control_server.h"
#include "agent/admin/http_handlers.h"
#include "agent/admin/http_server.h"
#include "agent/admin/latest_values.h"
#include "agent/admin/status.h"
#include "agent/bus/bus_worker.h"
#include "agent/bus/frame_ring.h"
#include "agent/command/dispatcher.h"
#include "agent/command/intake.h"
#include "agent/protocol/catalog.h"
#include "agent/protocol/clock_watch.h"
#include "agent/remote/remote_changer.h"
#include "agent/run/config_check.h"
#include "agent/run/service_thread.h"
#include "agent/run/watchdog.h"
#include "agent/uplink/forwarder.h"
#include "agent/uplink/replayer.h"
#include "store/sqlite/file_store.h"

namespace metergate {

/// One thread of the agent, with what wakes it and what shows that it is alive.
struct AgentThread {
  explicit AgentThread(const std::string& name) : heartbeat(name) {}
  void stop() const {
    if (service) service->stop();
  }
  [[nodiscard]] bool join(Millis patience) const { return !service || service->join(patience); }

  Wake wake;
  Heartbeat heartbeat;
  std::unique_ptr<ServiceThread> service;  ///< none before its start
};

/// A bus with its thread.
struct BusThread {
  explicit BusThread(const std::string& name) : thread("bus " + name) {}
  std::unique_ptr<BusPause> pause;
  std::unique_ptr<Bus> bus;
  std::unique_ptr<FrameRing> frames;
  std::unique_ptr<BusWorker> worker;
  Millis patience{0};  ///< the longest that a step may take
  AgentThread thread;  ///< last: it ends before what it uses
};

/// What --http needs, with its thread.
struct HttpThread {
  std::unique_ptr<HttpHandlers> handlers;
  std::unique_ptr<SocketServer> server;
  AgentThread thread{"http"};  ///< last: it ends before what it uses
};

/// The composition root of `run`: owns every part and every thread. The process has one.
class Agent final : private UplinkHost {
 public:
  /// `command_line`: what the options were read from; SIGHUP has it read again.
  Agent(const Options& options, Site site, const CommandLine& command_line);

  struct End {
    int status = 0;
    bool again = false;  ///< a new configuration waits: start_again()
    bool ready = false;  ///< it got as far as that
  };
  /// Opens store, broker and control socket, starts the threads, waits for SIGTERM, SIGINT, a SIGHUP with a usable
  /// configuration or a failure that only a restart cures, and stops everything. When a thread hangs at the end it does
  /// not return: it ends the process or starts it again, after everything that the store was given is durable.
  End run();

 private:
  // Making the parts, in agent.cpp.
  Status open_store();
  Status open_uplink();
  Status open_http();
  void make_parts();
  void make_replayer();
  void make_forwarder();
  void make_bus(const BusConfig& config);
  void make_intake();
  Status read_remote_key();
  void make_remote();
  void make_dispatcher();
  void make_control();
  void dispatch(const std::string& bus);
  std::variant<std::string, Failure> answer_remote(const Command& command, bool fresh);
  Status begin_epoch();
  std::string status_message(bool online, UtcTime at, UtcTime since, bool with_last) const;
  Snapshot snapshot() const;
  std::vector<const Heartbeat*> heartbeats() const;

  void wake_uplink() override { forward_thread_.wake.notify(); }
  bool take_command(const Message& message) override { return intake_->take(message.topic, message.payload); }
  std::string status_payload(bool online) override { return status_message(online, clock_.utc(), since_, true); }
  std::optional<std::vector<std::vector<std::string>>> catalogs() override;
  bool knows_epoch(const std::string& epoch) override;
  void duplicate_gateway(const std::string& epoch) override;
  Draft session_lost() override { return event_draft(stamp_of(clock_), "session_lost", "{}"); }
  void reader_gone() override;

  // Start, run and stop, in agent_lifecycle.cpp.
  Status start_threads();
  Status start(AgentThread& thread, Task task);
  End wait_for_the_end(Watchdog& watchdog);
  bool stop_threads();
  void begin_config_check(Watchdog& watchdog);
  void refuse_config(const std::string& errors, Watchdog& watchdog);
  bool config_is_right(Watchdog& watchdog);
  Status check_store_owner() const;
  void fail_stop(const std::string& why);
  int refuse(const Error& error) const;

  const Options& options_;
  const Site site_;
  const CommandLine& command_line_;
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
  ParsedCommands parsed_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<ClockWatch> clock_watch_;
  std::optional<VerifyKey> remote_key_;          // with --remote-key only
  std::unique_ptr<RemoteFiles> remote_files_;    // with --remote only
  std::unique_ptr<RemoteTrials> remote_trials_;  // likewise
  std::unique_ptr<RemoteChanger> remote_;        // likewise
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Replayer> replayer_;
  std::unique_ptr<Forwarder> forwarder_;
  std::unique_ptr<ControlServer> control_;
  SerialRegistry serials_;
  std::unique_ptr<LatestValues> latest_;  // with --http only
  std::list<BusThread> buses_;

  std::optional<ConfigCheck> config_check_;  // after a SIGHUP, on the main thread
  std::atomic<bool> stop_sending_{false}, sending_stopped_{false}, failed_{false}, restart_wanted_{false};
  // Last: threads end before what they use.
  AgentThread store_thread_{"store"}, forward_thread_{"forward"}, dispatch_thread_{"dispatch"},
      control_thread_{"control"};
  std::unique_ptr<HttpThread> http_;  // with --http only
};

/// `metergate run`. Call it before any thread exists: it blocks the signals that it waits for in the whole process. May
/// not return: a SIGHUP can start the program again.
int run_agent(const Options& options, const CommandLine& command_line);

}  // namespace metergate
