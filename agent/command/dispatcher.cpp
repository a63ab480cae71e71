#include "agent/command/dispatcher.h"

#include <algorithm>
#include <utility>

#include "agent/base/json.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/command/command_result.h"

namespace metergate {

namespace {
constexpr Millis kStorePause{1000};
constexpr std::chrono::seconds kLookAtAll{60};
constexpr std::size_t kPage = 64;
constexpr int kPages = 8;  // of one bus in a step
const std::string kNoBus;

std::variant<std::string, Failure> page_of(const std::vector<std::string>& pages, std::size_t page) {
  if (page > pages.size()) {
    return Failure{"bad_value", "page: there are " + std::to_string(pages.size()) + ", not " + std::to_string(page)};
  }
  JsonWriter json;
  return json.raw(pages[page - 1]).member("page", page).member("pages", pages.size()).take();
}
}  // namespace

Dispatcher::Dispatcher(Parts parts) : p_(std::move(parts)) {
  queues_[kNoBus] = {};
  for (const auto& [name, sink] : p_.sinks) queues_[name].sink = sink;
}

void Dispatcher::changed(const std::string& bus) {
  const std::lock_guard<std::mutex> hold(mutex_);
  changed_.insert(bus);
}

std::size_t Dispatcher::waiting(const std::string& bus) const {
  const std::lock_guard<std::mutex> hold(mutex_);
  const auto found = waiting_.find(bus);
  return found == waiting_.end() ? 0 : found->second;
}

MonoTime Dispatcher::step(MonoTime now) {
  std::set<std::string> names;
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    names.swap(changed_);
  }
  bool failed = !end_orphans();
  if (now >= look_at_all_) {
    look_at_all_ = now + kLookAtAll;
    for (const auto& [name, queue] : queues_) names.insert(name);
  }
  bool more = false;
  for (auto& [name, queue] : queues_) {
    if (!end_expired(name, queue)) failed = true;
    if (names.count(name) == 0) continue;
    const Served served = serve(name, queue, now);
    if (served == Served::kAll) continue;
    (served == Served::kMore ? more : failed) = true;
    changed(name);
  }
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    for (const auto& [name, queue] : queues_) waiting_[name] = queue.backlog.size();
  }
  if (failed) return now + kStorePause;
  if (more) return now;
  MonoTime next = look_at_all_;
  const UtcTime utc = p_.clock->utc();
  for (const auto& [name, queue] : queues_) {
    const UtcTime expiry = queue.backlog.first_expiry();
    if (expiry != UtcTime::max()) next = std::min(next, now + std::max(Millis{1}, expiry - utc));
  }
  return next;
}

/// Open commands of buses that the configuration no longer has.
bool Dispatcher::end_orphans() {
  if (orphans_ended_) return true;
  const auto names = p_.inbox->open_buses();
  if (!names) return false;
  for (const std::string& name : *names) {
    if (queues_.count(name) > 0) continue;
    Queue gone;
    Served served = Served::kMore;
    while (served == Served::kMore) served = serve(name, gone, MonoTime{});
    if (served == Served::kFailed) return false;
  }
  orphans_ended_ = true;
  return true;
}

Dispatcher::Served Dispatcher::serve(const std::string& bus, Queue& queue, MonoTime now) {
  if (!refill(bus, queue)) return Served::kFailed;
  for (int page = 0; page < kPages; ++page) {
    const auto open = p_.inbox->open_commands(bus, queue.seen, kPage);
    if (!open) return Served::kFailed;
    if (open->empty()) return Served::kAll;
    for (const StoredCommand& stored : *open) {
      queue.seen = stored.key;
      auto command = open_or_end(stored, bus, now);
      if (!command) continue;
      const CommandLane lane = command->lane();
      if (queue.backlog.front(lane) == nullptr && queue.sink->room(lane) > 0) {
        queue.sink->give(std::move(*command));
      } else {
        queue.backlog.add(lane, {stored.key, now, command->command.expires});
      }
    }
  }
  return Served::kMore;
}

/// False: the store failed; the same are tried again.
bool Dispatcher::refill(const std::string& bus, Queue& queue) {
  for (const CommandLane& lane : queue.backlog.lanes()) {
    for (std::size_t room = queue.sink->room(lane); room > 0; --room) {
      const Backlog::Entry* entry = queue.backlog.front(lane);
      if (entry == nullptr) break;
      const auto stored = fetch(bus, entry->key);
      if (!stored) return false;
      const MonoTime arrived = entry->arrived;
      queue.backlog.pop(lane);
      auto command = *stored ? open_or_end(**stored, bus, arrived) : std::nullopt;
      if (command) queue.sink->give(std::move(*command));
    }
  }
  return true;
}

/// False: the store failed; the same are tried again.
bool Dispatcher::end_expired(const std::string& bus, Queue& queue) {
  if (p_.clock_rule.known_wrong(*p_.clock)) return true;
  bool well = true;
  for (const auto& [lane, entry] : queue.backlog.take_expired(p_.clock->utc(), kPage)) {
    const auto stored =
        well ? fetch(bus, entry.key) : Result<std::optional<StoredCommand>>(Error{Errc::kStorage, "", 0});
    if (!stored) {
      well = false;
      queue.backlog.add(lane, entry);
      continue;
    }
    if (!*stored) continue;
    const auto parsed = parse_command((*stored)->body);
    if (const Command* command = std::get_if<Command>(&parsed)) {
      const CommandResult result = result_for(*command, (*stored)->received);
      p_.inbox->complete(entry.key, ending(result, "expired", expired_failure(), *p_.clock));
    }
  }
  return well;
}

/// Nothing: it is open no longer.
Result<std::optional<StoredCommand>> Dispatcher::fetch(const std::string& bus, std::int64_t key) {
  auto rows = p_.inbox->open_commands(bus, key - 1, 1);
  if (!rows) return rows.error();
  if (rows->empty() || rows->front().key != key) return std::optional<StoredCommand>{};
  return std::optional<StoredCommand>(std::move(rows->front()));
}

/// What the bus has to execute; nothing: it was answered here.
std::optional<OpenCommand> Dispatcher::open_or_end(const StoredCommand& stored, const std::string& bus,
                                                   MonoTime arrived) {
  const auto end = [&](CommandResult result, const char* status, Failure failure) {
    p_.inbox->complete(stored.key, ending(std::move(result), status, std::move(failure), *p_.clock));
    return std::nullopt;
  };
  auto parsed = p_.parsed->take(stored.key);
  const bool fresh = parsed.has_value();
  std::optional<Failure> refusal;
  if (!parsed) {
    auto command = parse_command(stored.body);
    if (const BadCommand* bad = std::get_if<BadCommand>(&command)) {  // understood by another release
      CommandResult result = result_for(*bad, stored.received);
      result.command = stored.id;
      return end(std::move(result), "rejected", {"bad_command", bad->message});
    }
    parsed = {std::move(*std::get_if<Command>(&command)), {}};
    auto plan = plan_command(*p_.site, parsed->command);
    if (auto* ready = std::get_if<CommandPlan>(&plan)) {
      parsed->plan = std::move(*ready);
    } else {
      refusal = std::move(*std::get_if<Failure>(&plan));
    }
  }
  if (stored.write && stored.started) {
    return end(result_for(parsed->command, stored.received), "unknown",
               {"interrupted", "the gateway stopped after the write may have reached the meter"});
  }
  if (refusal) return end(result_for(parsed->command, stored.received), "rejected", std::move(*refusal));
  if (parsed->plan.bus.empty()) {
    answer(stored, parsed->command, fresh);
    return std::nullopt;
  }
  if (parsed->plan.bus != bus) {
    return end(result_for(parsed->command, stored.received), "rejected",
               {"no_such_meter", "the meter was moved to another bus after the command came"});
  }
  OpenCommand open;
  open.stored = stored;
  open.stored.body.clear();
  open.command = std::move(parsed->command);
  open.plan = std::move(parsed->plan);
  open.arrived = arrived;
  return open;
}

void Dispatcher::answer(const StoredCommand& stored, const Command& command, bool fresh) {
  CommandResult result = result_for(command, stored.received);
  if (p_.clock_rule.expired(command.expires, *p_.clock)) {
    p_.inbox->complete(stored.key, ending(result, "expired", expired_failure(), *p_.clock));
    return;
  }
  const auto more = answer_of(command, fresh);
  if (const auto* failure = std::get_if<Failure>(&more)) {
    p_.inbox->complete(stored.key, ending(result, "rejected", *failure, *p_.clock));
    return;
  }
  result.stamp = stamp_of(*p_.clock);
  result.started = result.finished = result.stamp.at;
  result.status = "done";
  result.more = *std::get_if<std::string>(&more);
  p_.inbox->complete(stored.key, result_draft(result));
}

/// The members of the result.
std::variant<std::string, Failure> Dispatcher::answer_of(const Command& command, bool fresh) {
  if (command.op == Command::Op::kStatus) return page_of(p_.status(), command.page);
  if (command.op == Command::Op::kCatalog) {
    auto pages = p_.catalog(command.catalog);
    if (!pages || !*pages) return Failure{"bad_value", "the store knows no catalog '" + command.catalog + "'"};
    for (std::string& page : **pages) page.insert(0, "\"content\":");
    return page_of(**pages, command.page);
  }
  if (command.op == Command::Op::kConfiguration) return page_of(p_.configuration(), command.page);
  const bool of_remote =
      command.op == Command::Op::kConfirm || command.op == Command::Op::kLog || command.op == Command::Op::kTrace;
  if (of_remote) return p_.remote(command, fresh);
  JsonWriter json;
  json.member("bus", command.bus);
  Pausable& pause = *p_.pauses.at(command.bus);
  if (command.op == Command::Op::kResume) {
    pause.end();
  } else {
    json.member("until", rfc3339(pause.begin(command.time.value_or(kUsualPause))));
  }
  return json.take();
}

}  // namespace metergate
