#include "agent/run/agent.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/admin/control_handlers.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/run/bus_patience.h"
#include "agent/uplink/tls_peer.h"
#include "drivers/line/make_bus.h"

namespace metergate {

namespace {

const char* const kLastCatalog = "agent.catalog";  // key in the store: the hash of the last run's catalog
const UtcTime kBuilt{std::chrono::seconds(METERGATE_BUILD_TIME)};
constexpr Millis kTellBusy{10'000};          // how often the service manager hears that a salvage goes on,
constexpr Millis kSalvagePatience{900'000};  // and how long it waits from then on: for the last sync of a large file

/// As many of the newest as have room, the oldest of them first, as a JSON array.
std::string newest_that_fit(const std::vector<std::string>& texts, bool quoted) {
  std::size_t bytes = 0;
  std::size_t first = texts.size();
  std::vector<std::string> written;
  for (; first > 0; --first) {
    JsonWriter one;
    const std::string json = quoted ? one.text(texts[first - 1]).take() : texts[first - 1];
    if (bytes + json.size() + 1 > kMaxAnswerPage) break;
    bytes += json.size() + 1;
    written.push_back(json);
  }
  JsonWriter json;
  json.begin_array();
  for (auto it = written.rbegin(); it != written.rend(); ++it) json.raw(*it);
  return json.end_array().take();
}

}  // namespace

Agent::Agent(const Options& options, Site site, const CommandLine& command_line)
    : options_(options),
      site_(std::move(site)),
      command_line_(command_line),
      clock_(options.trust_clock),
      log_(options.log_level, options.log_format, clock_),
      epoch_(random_epoch()),
      since_(clock_.utc()),
      catalog_(make_catalog(options.gateway, METERGATE_VERSION, site_)),
      topics_(topics_of(options.uplink.topic_prefix, options.gateway)),
      file_system_(posix_file_system()) {
  for (const std::string& warning : site_.warnings) log_.warn(warning);
  if (const auto warning = clock_warning(site_, clock_)) log_.warn(*warning);
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
  auto connector = make_mqtt_connector(std::move(settings));
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
  latest_ = std::make_unique<LatestValues>();
  http_ = std::make_unique<HttpThread>();
  HttpHandlers::Parts parts;
  parts.snapshot = [this] { return snapshot(); };
  parts.hanging = [this] {
    std::vector<std::string> hanging;
    for (const Heartbeat* beat : heartbeats()) {
      if (!beat->fresh(clock_.mono())) hanging.push_back(beat->name());
    }
    return hanging;
  };
  parts.site = &site_;
  parts.latest = latest_.get();
  parts.clock = &clock_;
  http_->handlers = std::make_unique<HttpHandlers>(std::move(parts));
  const HttpHandler handler = [this](const std::string& path) { return http_->handlers->answer(path); };
  auto server = make_http_server(*options_.http, handler, token, clock_, log_);
  if (!server) return server.error();
  http_->server = std::move(*server);
  return {};
}

std::string Agent::status_message(bool online, UtcTime at, UtcTime since, bool with_last) const {
  StatusMessage message{options_.gateway, METERGATE_VERSION, epoch_, online, at, since, std::nullopt, site_.config};
  if (with_last) {
    const StoreState state = store_->state();
    message.last.emplace();
    for (const Lane lane : kAllLanes) {
      const auto i = static_cast<std::size_t>(lane);
      (*message.last)[i] = state.lanes[i].last_seq;
    }
  }
  return metergate::status_payload(message);
}

std::optional<std::vector<std::vector<std::string>>> Agent::catalogs() {
  const auto waiting = store_->catalogs_waiting();
  if (!waiting) return std::nullopt;
  std::vector<std::vector<std::string>> catalogs;
  for (const std::string& hash : *waiting) {
    const auto members = store_->catalog(hash);
    if (!members) return std::nullopt;
    if (*members) catalogs.push_back(catalog_payloads(options_.gateway, epoch_, clock_.utc(), **members));
  }
  return catalogs;
}

/// In doubt no alarm.
bool Agent::knows_epoch(const std::string& epoch) {
  const auto known = store_->knows_epoch(epoch);
  return !known || *known;
}

void Agent::duplicate_gateway(const std::string& epoch) {
  JsonWriter json;
  json.member("epoch", epoch);
  events_->tell("duplicate_gateway", "", json.take());
}

void Agent::reader_gone() { ::kill(::getpid(), SIGTERM); }

void Agent::make_parts() {
  events_ = std::make_unique<Events>(*store_, clock_);
  clock_watch_ = std::make_unique<ClockWatch>(*store_, clock_, log_);
  make_replayer();
  make_forwarder();
  for (const BusConfig& config : site_.buses) make_bus(config);
  make_intake();
  make_remote();
  make_dispatcher();
}

Status Agent::read_remote_key() {
  if (options_.remote.key_file.empty()) return {};
  auto key = read_verify_key(options_.remote.key_file);
  if (!key) return key.error();
  remote_key_ = std::move(*key);
  return {};
}

void Agent::make_remote() {
  if (options_.remote.dir.empty()) return;
  remote_files_ = remote_files(options_.remote.dir);
  remote_trials_ = std::make_unique<RemoteTrials>(*remote_files_);
  if (Status known = remote_trials_->load(); !known) {
    log_.error("configurations from afar are lost", {{"why", known.error().detail}});
  }
  RemoteChanger::Parts parts;
  parts.trials = remote_trials_.get();
  parts.inbox = store_.get();
  parts.outbox = store_.get();
  parts.clock = &clock_;
  parts.log = &log_;
  parts.clock_rule = ClockRule{kBuilt, store_->opened().newest};
  parts.options = options_.remote;
  parts.key = remote_key_;
  parts.gateway = options_.gateway;
  parts.config = site_.config;
  const auto with = [this](const std::string& version) {
    std::vector<std::string> arguments = command_line_.arguments;
    arguments.insert(arguments.end(), {"--remote-candidate", version});
    return arguments;
  };
  parts.check = [this, with](const std::string& version) -> Result<RemoteChanger::Check> {
    auto check = ConfigCheck::start(with(version), clock_.mono());
    if (!check) return check.error();
    return RemoteChanger::Check(
        [running = std::make_shared<ConfigCheck>(std::move(*check))](MonoTime now) { return running->step(now); });
  };
  parts.config_of = [this, with](const std::string& version) -> Result<std::string> {
    const auto parsed = parse_command_line(with(version), command_line_.environment);
    if (const auto* wrong = std::get_if<UsageError>(&parsed)) return Error{Errc::kInvalid, wrong->message};
    Options options = std::get_if<Invocation>(&parsed)->options;
    const auto site = make_site(options);
    if (const auto* wrong = std::get_if<UsageError>(&site)) return Error{Errc::kInvalid, wrong->message};
    return std::get_if<Site>(&site)->config;
  };
  parts.given = [this] { dispatch_thread_.wake.notify(); };
  parts.ended = [this] { dispatch(kRemoteQueue); };
  parts.restart = [this] { restart_wanted_ = true; };
  remote_ = std::make_unique<RemoteChanger>(std::move(parts));
}

/// confirm, log, trace; on the dispatch thread.
std::variant<std::string, Failure> Agent::answer_remote(const Command& command, bool fresh) {
  JsonWriter json;
  if (command.op == Command::Op::kConfirm) return remote_->confirm(command.config, fresh);
  if (command.op == Command::Op::kLog) {
    return json.raw_member("lines", newest_that_fit(log_.newest(command.lines), true)).take();
  }
  const auto bus = std::find_if(buses_.begin(), buses_.end(),
                                [&](const BusThread& b) { return b.worker->state().name == command.bus; });
  const auto frames = bus->frames->json_behind(0, FrameRing::kMostFrames);
  return json.member("bus", command.bus).raw_member("frames", newest_that_fit(frames, false)).take();
}

void Agent::make_replayer() {
  Replayer::Parts parts;
  parts.archive = store_.get();
  parts.inbox = store_.get();
  parts.key_values = store_.get();
  parts.clock = &clock_;
  parts.clock_rule = ClockRule{kBuilt, store_->opened().newest};
  parts.gateway = options_.gateway;
  parts.given = [this] { wake_uplink(); };
  parts.ended = [this] { dispatch(kReplayQueue); };
  parts.configured = [this](const std::string& meter) {
    return std::any_of(site_.buses.begin(), site_.buses.end(), [&](const BusConfig& bus) {
      return std::any_of(bus.meters.begin(), bus.meters.end(), [&](const auto& m) { return m.spec.id == meter; });
    });
  };
  replayer_ = std::make_unique<Replayer>(std::move(parts));
}

void Agent::make_forwarder() {
  Forwarder::Parts parts;
  parts.connector = connector_.get();
  parts.outbox = store_.get();
  parts.key_values = store_.get();
  parts.replayer = replayer_.get();
  parts.host = this;
  parts.log = &log_;
  parts.draw = system_draw();
  parts.settings = ForwarderSettings{options_.gateway, topics_, options_.uplink};
  forwarder_ = std::make_unique<Forwarder>(std::move(parts));
}

void Agent::make_bus(const BusConfig& config) {
  BusThread& bus = buses_.emplace_back(config.spec.name);
  bus.patience = patience_of(config);
  BusPause::Parts pause;
  pause.bus = config.spec.name;
  pause.key_values = store_.get();
  pause.clock = &clock_;
  pause.log = &log_;
  pause.wished = [&bus] { bus.thread.wake.notify(); };
  pause.granted = [this] {
    if (control_) control_->notify();
  };
  bus.pause = std::make_unique<BusPause>(std::move(pause));
  bus.bus = make_line_bus(config.spec.settings, clock_);
  bus.frames = std::make_unique<FrameRing>(*bus.bus, clock_);
  bus.bus->observe(bus.frames.get());

  BusParts parts;
  parts.config = &config;
  parts.bus = bus.bus.get();
  parts.pause = bus.pause.get();
  parts.outbox = store_.get();
  parts.inbox = store_.get();
  parts.key_values = store_.get();
  parts.events = events_.get();
  parts.serials = &serials_;
  parts.clock = &clock_;
  parts.log = &log_;
  parts.draw = system_draw();
  parts.catalog = catalog_.hash;
  parts.clock_rule = ClockRule{kBuilt, store_->opened().newest};
  parts.writes_allowed = [this] { return forwarder_->writes_allowed(clock_.mono()); };
  parts.given = [&bus] { bus.thread.wake.notify(); };
  parts.command_ended = [this, &config] { dispatch(config.spec.name); };
  parts.before_stamp = [this] { clock_watch_->look(); };
  if (latest_) parts.reading = [this](const Reading& reading) { latest_->take(reading); };
  bus.worker = std::make_unique<BusWorker>(std::move(parts));
}

void Agent::make_intake() {
  Intake::Parts parts;
  parts.site = &site_;
  parts.inbox = store_.get();
  parts.events = events_.get();
  parts.parsed = &parsed_;
  parts.clock = &clock_;
  parts.admitted = [this](const std::string& bus) { dispatch(bus); };
  parts.repeat = [this](const Row& row) { forwarder_->republish(row.key); };
  intake_ = std::make_unique<Intake>(std::move(parts));
}

/// Any thread.
void Agent::dispatch(const std::string& bus) {
  dispatcher_->changed(bus);
  dispatch_thread_.wake.notify();
}

void Agent::make_dispatcher() {
  Dispatcher::Parts parts;
  parts.site = &site_;
  parts.inbox = store_.get();
  parts.parsed = &parsed_;
  parts.clock = &clock_;
  parts.clock_rule = ClockRule{kBuilt, store_->opened().newest};
  parts.status = [this] { return snapshot_pages(snapshot(), kMaxAnswerPage); };
  parts.catalog = [this](const std::string& hash) -> Result<std::optional<std::vector<std::string>>> {
    const auto members = store_->catalog(hash.empty() ? catalog_.hash : hash);
    if (!members) return members.error();
    if (!*members) return std::optional<std::vector<std::string>>{};
    return std::optional(catalog_pages(**members, kMaxCatalogPage));
  };
  parts.sinks[kReplayQueue] = replayer_.get();
  if (remote_) {
    parts.sinks[kRemoteQueue] = remote_.get();
    parts.configuration = [this] { return remote_->pages(options_.settings, kMaxAnswerPage); };
    parts.remote = [this](const Command& command, bool fresh) { return answer_remote(command, fresh); };
  }
  for (BusThread& bus : buses_) {
    parts.sinks[bus.worker->state().name] = bus.worker.get();
    parts.pauses[bus.worker->state().name] = bus.pause.get();
  }
  dispatcher_ = std::make_unique<Dispatcher>(std::move(parts));
}

void Agent::make_control() {
  ControlParts parts;
  for (BusThread& bus : buses_) {
    const std::string name = bus.worker->state().name;
    parts.pauses[name] = bus.pause.get();
    parts.frames[name] = bus.frames.get();
    parts.give[name] = [&bus](OpenCommand command) { return bus.worker->give_local(std::move(command)); };
  }
  parts.site = &site_;
  parts.clock = &clock_;
  parts.answered = [this] { control_->notify(); };
  parts.uplink = &options_.uplink;
  parts.forwarder = [this] { return forwarder_->state(); };
  parts.store = store_.get();
  parts.store_path = std::filesystem::absolute(options_.store.path).string();
  ControlServer::Handlers handlers = control_handlers(parts);
  handlers["status"] = [this](const Json&) { return "{" + snapshot_json(snapshot()) + "}"; };
  auto control = ControlServer::open(options_.control, std::move(handlers), clock_, log_);
  if (control) {
    control_ = std::move(*control);
  } else {
    log_.warn("no control socket", {{"path", options_.control}, {"why", control.error().detail}});
  }
}

/// Makes the present catalog durable, so that readings can name it, and takes up a ban of writes. Needs the store's
/// thread.
Status Agent::begin_epoch() {
  const std::string& gone = store_->opened().gone_epoch;
  if (!gone.empty()) {
    log_.warn("the store of the last run is gone, and with it what was not delivered", {{"epoch", gone}});
    JsonWriter json;
    events_->tell("store_gone", "", json.member("epoch", gone).take());
  }
  const auto known = store_->get(kLastCatalog);
  if (!known) return known.error();
  const Status added = store_->add_catalog(catalog_.hash, catalog_.members);
  if (!added) return added.error();
  store_->gone_is_told(epoch_);  // the event was appended before the catalog, which is durable
  const Status restored = forwarder_->restore(clock_.mono());
  if (!restored) return restored.error();
  if (*known == catalog_.hash) return {};
  if (*known) {
    JsonWriter json;
    json.member("old", **known).member("new", catalog_.hash);
    events_->tell("catalog_changed", "", json.take());
  }
  return store_->put(kLastCatalog, catalog_.hash);
}

std::vector<const Heartbeat*> Agent::heartbeats() const {
  std::vector<const Heartbeat*> all{&store_thread_.heartbeat, &forward_thread_.heartbeat, &dispatch_thread_.heartbeat};
  if (control_) all.push_back(&control_thread_.heartbeat);
  if (http_) all.push_back(&http_->thread.heartbeat);
  for (const BusThread& bus : buses_) all.push_back(&bus.thread.heartbeat);
  return all;
}

Snapshot Agent::snapshot() const {
  Snapshot s;
  s.gateway = options_.gateway;
  s.version = METERGATE_VERSION;
  s.epoch = epoch_;
  s.config = site_.config;
  s.at = clock_.utc();
  s.since = since_;
  s.clock_synced = clock_.synced();
  for (const BusThread& bus : buses_) {
    s.buses.push_back(bus.worker->state());
    s.buses.back().commands_waiting += static_cast<std::int64_t>(dispatcher_->waiting(s.buses.back().name));
  }
  s.store = store_->state();
  s.uplink = forwarder_->state();
  s.replay = replayer_->state();
  s.now = clock_.mono();
  return s;
}

}  // namespace metergate
