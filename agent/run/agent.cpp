#include "agent/run/agent.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/admin/control_handlers.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/config/bus_text.h"
#include "agent/uplink/tls_peer.h"
#include "drivers/modbus/make_bus.h"

namespace metergate {

namespace {

const char* const kLastCatalog = "agent.catalog";  // in the store's memory: the hash of the last run's catalog
const UtcTime kBuilt{std::chrono::seconds(METERGATE_BUILD_TIME)};
constexpr Millis kTellBusy{10'000};  // how often the service manager hears that a salvage goes on
constexpr Millis kSalvagePatience{
    900'000};                           // and waits from then on: for the next rows, or the last sync of a large file
constexpr Millis kBusPatience{10'000};  // a bus's step beyond its requests: a commit, the opening of its port

/// The longest that one step of a bus may take: a request with its guard, for the slowest of its meters.
Millis patience_of(const BusConfig& site) {
  Millis slowest = site.spec.settings.timeout;
  for (const MeterConfig& meter : site.meters) slowest = std::max(slowest, meter.target.timeout.value_or(slowest));
  if (const auto* tcp = std::get_if<TcpSettings>(&site.spec.settings.port)) slowest += tcp->connect_timeout;
  return 3 * slowest + kBusPatience;
}

}  // namespace

Agent::Agent(const Options& options, metergate::Site site)
    : options_(options),
      site_(std::move(site)),
      clock_(options.trust_clock),
      log_(options.log_level, options.log_format, clock_),
      epoch_(random_epoch()),
      since_(clock_.utc()),
      catalog_(make_catalog(options.gateway, METERGATE_VERSION, site_)),
      topics_(topics_of(options.uplink.topic_prefix, options.gateway)),
      file_system_(posix_file_system()) {
  for (const std::string& warning : site_.warnings) log_.warn(warning);
}

Status Agent::open_store() {
  StoreSettings settings = options_.store;
  settings.busy = [this, notify = systemd_notify(), next = MonoTime::min()]() mutable {
    if (clock_.mono() < next) return;
    next = clock_.mono() + kTellBusy;
    notify("EXTEND_TIMEOUT_USEC=" + std::to_string(Micros{kSalvagePatience}.count()));
  };
  auto store =
      FileStore::open(std::move(settings), record_format(options_.gateway, clock_), *file_system_, clock_, log_);
  if (!store) return store.error();
  store_ = std::move(*store);
  return {};
}

Status Agent::open_uplink() {
  if (options_.uplink.to_stdout) {
    connector_ = make_stdout_connector(STDOUT_FILENO);
    return {};
  }
  ConnectorSettings settings;
  settings.options = options_.uplink;
  settings.will_topic = topics_.status;
  settings.will_payload = [this] {
    const UtcTime connect = clock_.utc();
    return status_message(false, connect, connect, false);
  };
  if (!options_.uplink.tls) leave_openssl_unloaded();
  auto connector = make_mqtt_connector(std::move(settings), clock_, log_);
  if (!connector) return connector.error();
  connector_ = std::move(*connector);
  return {};
}

Status Agent::open_http() {
  if (!options_.http) return {};
  std::string token;
  if (!options_.http_token_file.empty()) {
    auto text = read_secret("--http-token-file", options_.http_token_file);
    if (!text) return text.error();
    token = std::move(*text);
  }
  const auto make_server = load_http_server();
  if (!make_server) return make_server.error();
  latest_ = std::make_unique<LatestValues>();
  http_ = std::make_unique<HttpThread>();
  http_->site = std::make_unique<HttpHandlers>(HttpHandlers::Parts{[this] { return snapshot(); },
                                                                   [this] {
                                                                     std::vector<std::string> hanging;
                                                                     for (const Heartbeat* beat : heartbeats()) {
                                                                       if (!beat->fresh(clock_.mono()))
                                                                         hanging.push_back(beat->name());
                                                                     }
                                                                     return hanging;
                                                                   },
                                                                   site_, *latest_, clock_});
  const HttpHandler site = [this](const std::string& path) { return http_->site->answer(path); };
  auto port =
      HttpListener::make(*options_.http, std::unique_ptr<HttpServer>((*make_server)(site, token)), clock_, log_);
  if (!port) return port.error();
  http_->port = std::move(*port);
  return {};
}

std::string Agent::status_message(bool online, UtcTime at, UtcTime since, bool with_last) const {
  StatusMessage message{options_.gateway, METERGATE_VERSION, epoch_, online, at, since, std::nullopt};
  if (with_last) {
    const StoreState state = store_->state();
    message.last.emplace();
    for (const Lane lane : kAllLanes) {
      const auto i = static_cast<std::size_t>(lane);
      (*message.last)[i] = state.lanes[i].last_seq;
    }
  }
  return status_payload(message);
}

std::vector<std::string> Agent::catalog_payloads() {
  std::vector<std::string> payloads;
  const auto waiting = store_->catalogs_waiting();
  if (!waiting) return payloads;
  for (const std::string& hash : *waiting) {
    const auto members = store_->catalog(hash);
    if (members && *members) payloads.push_back(catalog_payload(options_.gateway, epoch_, clock_.utc(), **members));
  }
  return payloads;
}

void Agent::make_parts() {
  events_ = std::make_unique<Events>(*store_, clock_);
  clock_watch_ = std::make_unique<ClockWatch>(*store_, clock_, log_);

  ForwarderHooks hooks;
  hooks.wake = [this] { forward_wake_.notify(); };
  hooks.command = [this](const Message& message) { return intake_->take(message.topic, message.payload); };
  hooks.status = [this](bool online) { return status_message(online, clock_.utc(), since_, true); };
  hooks.catalogs = [this] { return catalog_payloads(); };
  hooks.knows = [this](const std::string& epoch) {
    const auto known = store_->knows_epoch(epoch);
    return !known || *known;  // in doubt no alarm
  };
  hooks.duplicate = [this](const std::string& epoch) {
    JsonWriter json;
    json.member("epoch", epoch);
    events_->tell("duplicate_gateway", "", json.take());
  };
  hooks.session_lost = [this] { return event_draft(stamp_of(clock_), "session_lost", "{}"); };
  hooks.ended = [] { ::kill(::getpid(), SIGTERM); };
  replayer_ = std::make_unique<Replayer>(Replayer::Parts{*store_, *store_, *store_, clock_,
                                                         ClockRule{kBuilt, store_->opened().newest}, options_.gateway,
                                                         hooks.wake, [this] { dispatch_wake_.notify(); }});
  forwarder_ = std::make_unique<Forwarder>(Forwarder::Parts{*connector_,
                                                            *store_,
                                                            *store_,
                                                            *replayer_,
                                                            log_,
                                                            system_draw(),
                                                            {options_.gateway, topics_, options_.uplink},
                                                            hooks});

  for (const BusConfig& site : site_.buses) make_bus(site);

  intake_ =
      std::make_unique<Intake>(Intake::Parts{site_, *store_, *events_, clock_, [this] { dispatch_wake_.notify(); },
                                             [this](const Row& row) { forwarder_->repeat(row.key); }});
  Dispatcher::Parts parts{site_,
                          *store_,
                          clock_,
                          {},
                          [this] { return snapshot_json(snapshot()); },
                          [this](const std::string& hash) -> Result<std::optional<std::string>> {
                            if (hash.empty() || hash == catalog_.hash)
                              return std::optional<std::string>(catalog_.members);
                            return store_->catalog(hash);
                          }};
  parts.buses[kReplayQueue] = {[this] { return replayer_->room(); },
                               [this](std::vector<OpenCommand> commands) { replayer_->give(std::move(commands)); },
                               {},
                               {}};
  for (BusThread& thread : buses_) {
    parts.buses[thread.worker->state().name] = {[&thread] { return thread.worker->room(); },
                                                [&thread](std::vector<OpenCommand> commands) {
                                                  thread.worker->give(std::move(commands));
                                                  thread.wake.notify();
                                                },
                                                [&thread](Millis time) { return thread.pause->begin(time); },
                                                [&thread] { thread.pause->end(); }};
  }
  dispatcher_ = std::make_unique<Dispatcher>(std::move(parts));
}

void Agent::make_bus(const BusConfig& site) {
  BusThread& thread = buses_.emplace_back(site.spec.name);
  thread.patience = patience_of(site);
  thread.pause = std::make_unique<BusPause>(BusPause::Parts{site.spec.name, *store_, clock_, log_,
                                                            [&thread] { thread.wake.notify(); },
                                                            [this] {
                                                              if (control_) control_->notify();
                                                            }});
  std::function<void(const Reading&)> seen = [](const Reading&) {};
  if (latest_) seen = [this](const Reading& reading) { latest_->take(reading); };
  thread.bus = make_modbus_bus(site.spec.settings, clock_);
  thread.worker = std::make_unique<BusWorker>(
      BusWorker::Parts{site, *thread.bus, *store_, *store_, *events_, clock_, log_, system_draw(), catalog_.hash,
                       ClockRule{kBuilt, store_->opened().newest},
                       [this] { return forwarder_->writes_allowed(clock_.mono()); }, *thread.pause, *store_, serials_,
                       [this] { dispatch_wake_.notify(); }, [this] { clock_watch_->look(); }, std::move(seen)});
}

void Agent::make_control() {
  LocalParts parts;
  for (BusThread& thread : buses_) parts.pauses[thread.worker->state().name] = thread.pause.get();
  for (BusThread& thread : buses_) {
    parts.give[thread.worker->state().name] = [&thread](OpenCommand command) {
      thread.worker->give({std::move(command)});
      thread.wake.notify();
    };
  }
  parts.site = &site_;
  parts.answered = [this] { control_->notify(); };
  parts.store = store_.get();
  parts.store_path = std::filesystem::absolute(options_.store.path).string();
  ControlServer::Handlers handlers = local_handlers(parts);
  handlers["status"] = [this](const Json&) { return "{" + snapshot_json(snapshot()) + "}"; };
  auto control = ControlServer::open(options_.control, std::move(handlers), clock_, log_);
  if (control) {
    control_ = std::move(*control);
  } else {
    log_.warn("no control socket", {{"path", options_.control}, {"why", control.error().detail}});
  }
}

/// Needs the store's thread for all but the first step; before any reading is taken.
Status Agent::begin_epoch() {
  const auto known = store_->get(kLastCatalog);
  if (!known) return known.error();
  const Status added = store_->add_catalog(catalog_.hash, catalog_.members);
  if (!added) return added.error();
  if (*known == catalog_.hash) return {};
  if (*known) {
    JsonWriter json;
    json.member("old", **known).member("new", catalog_.hash);
    events_->tell("catalog_changed", "", json.take());
  }
  return store_->put(kLastCatalog, catalog_.hash);
}

std::vector<const Heartbeat*> Agent::heartbeats() const {
  std::vector<const Heartbeat*> beats{&store_beat_, &forward_beat_, &dispatch_beat_};
  if (control_) beats.push_back(&control_beat_);
  if (http_) beats.push_back(&http_->heartbeat);
  for (const BusThread& thread : buses_) beats.push_back(&thread.heartbeat);
  return beats;
}

Snapshot Agent::snapshot() const {
  Snapshot s;
  s.gateway = options_.gateway;
  s.version = METERGATE_VERSION;
  s.epoch = epoch_;
  s.at = clock_.utc();
  s.since = since_;
  s.clock_synced = clock_.synced();
  for (const BusThread& thread : buses_) {
    s.buses.push_back(thread.worker->state());
    s.buses.back().port = port_key(site_.buses[s.buses.size() - 1].spec.settings);
  }
  s.store = store_->state();
  s.uplink = forwarder_->state();
  s.replay = replayer_->state();
  s.now = clock_.mono();
  return s;
}

}  // namespace metergate
