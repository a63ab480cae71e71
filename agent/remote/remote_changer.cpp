#include "agent/remote/remote_changer.h"

#include <algorithm>
#include <utility>

#include "agent/base/json.h"
#include "agent/base/rfc3339.h"
#include "agent/base/text.h"
#include "agent/command/command_result.h"

namespace metergate {

namespace {

constexpr Millis kLongestSigned = std::chrono::hours(24 * 7);  // as long as the store knows a command's id
constexpr Millis kLookAtCheck{50};
constexpr Millis kSaveEvery{5'000};  // what a trial's time may lose with the power
constexpr Millis kLookWhileTrying{200};
constexpr std::size_t kLargest = 1 << 20;  // all parts of a change

std::string parts_key(const RemoteChange& change) { return change.base + "-" + std::to_string(change.parts); }

std::string content_of(const RemoteText& text) {
  JsonWriter json;
  json.begin_object().member("text", text.text).key("files").begin_object();
  for (const auto& [name, content] : text.files) json.member(name, content);
  return json.end_object().end_object().take();
}

void append(RemoteText& to, const RemoteText& part) {
  to.text += part.text;
  for (const auto& [name, content] : part.files) to.files[name] += content;
}

std::size_t size_of(const RemoteText& text) {
  std::size_t size = text.text.size();
  for (const auto& [name, content] : text.files) size += name.size() + content.size();
  return size;
}

std::string problems_of(const std::string& errors, const std::string& folder) {
  JsonWriter json;
  json.key("problems").begin_array();
  for (const std::string& error : split(errors, '\n')) {
    const RemoteProblem problem = remote_problem(error, folder);
    json.begin_object().member("file", problem.file).member("line", problem.line);
    json.member("text", problem.text).member("want", problem.want).end_object();
  }
  return json.end_array().take();
}

}  // namespace

RemoteChanger::RemoteChanger(Parts parts) : p_(std::move(parts)) {}

void RemoteChanger::give(OpenCommand command) {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    given_.push_back(std::move(command));
  }
  p_.given();
}

std::size_t RemoteChanger::room(const CommandLane&) const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return kQueue - std::min(kQueue, given_.size());
}

std::optional<OpenCommand> RemoteChanger::take() {
  const std::lock_guard<std::mutex> hold(mutex_);
  if (given_.empty()) return std::nullopt;
  OpenCommand command = std::move(given_.front());
  given_.pop_front();
  return command;
}

void RemoteChanger::ready() { ready_ = true; }

MonoTime RemoteChanger::step(MonoTime now) {
  if (leaving_) return MonoTime::max();
  watch(now);
  if (leaving_) return MonoTime::max();
  if (check_) {
    const auto usable = check_(now);
    if (!usable) return now + kLookAtCheck;
    check_ = nullptr;
    checked(*usable);
    if (leaving_) return MonoTime::max();
  }
  while (!check_) {
    auto command = take();
    if (!command) break;
    begin(std::move(*command));
    p_.ended();
  }
  if (check_) return now + kLookAtCheck;
  return p_.trials->on_trial() ? now + kLookWhileTrying : MonoTime::max();
}

/// The time of a trial.
void RemoteChanger::watch(MonoTime now) {
  if (!p_.trials->on_trial() || !ready_) return;
  if (!std::exchange(counting_, true)) {
    saved_ = now;
    if (Status ready = p_.trials->ready(); !ready)
      p_.log->error("cannot note a trial", {{"why", ready.error().detail}});
  }
  const RemoteTrial& trial = *p_.trials->state().trial;
  const auto since = std::chrono::duration_cast<Millis>(now - saved_);
  if (trial.spent + since >= trial.within) {
    const Status given_up = p_.trials->give_up("not_confirmed");
    if (!given_up) {
      p_.log->error("cannot take a configuration back", {{"why", given_up.error().detail}});
      return;
    }
    p_.log->warn("the configuration on trial was not confirmed, starting again with the one before");
    leaving_ = true;
    p_.restart();
  } else if (since >= kSaveEvery) {
    saved_ = now;
    if (Status spent = p_.trials->spend(since); !spent) {
      p_.log->error("cannot note a trial", {{"why", spent.error().detail}});
    }
  }
}

void RemoteChanger::begin(OpenCommand command) {
  if (tell_outcome(command)) return;
  const RemoteState& state = p_.trials->state();
  if (state.trial && state.trial->command == command.command.id) {
    current_ = std::move(command);  // confirm() or the next start ends it
    return;
  }
  if (p_.clock_rule.expired(command.command.expires, *p_.clock)) {
    return finish(command, "expired", expired_failure());
  }
  if (auto refusal = check_signature(command.command)) return reject(command, refusal->code, refusal->message);
  if (state.trial)
    return reject(command, "busy", "another configuration is on trial; send it again when that has ended");
  const RemoteChange& change = command.command.change;
  if (change.base != p_.config) {
    return reject(command, "config_changed", "the configuration in force is " + p_.config + ", not " + change.base);
  }
  const auto text = whole(command);
  if (!text) return;
  if (Status names = check_remote_names(*text, p_.options.all); !names) {
    if (names.error().code == Errc::kInvalid) return reject(command, "not_allowed", names.error().detail);
    return reject(command, "bad_config", names.error().detail, problems_of(names.error().detail, ""));
  }
  const auto version = p_.trials->write(*text);
  if (!version) return finish(command, "failed", Failure{"cannot_start", version.error().detail});
  auto check = p_.check(*version);
  if (!check) return finish(command, "failed", Failure{"cannot_start", check.error().detail});
  check_ = std::move(*check);
  version_ = *version;
  current_ = std::move(command);
}

/// Nothing where it may be done. The id within the signed text is the command's, and the store knows ids for longer
/// than a signature lasts: so nothing is done twice.
std::optional<Failure> RemoteChanger::check_signature(const Command& command) const {
  if (!p_.key) return std::nullopt;
  const auto bad = [](std::string why) { return Failure{"bad_signature", std::move(why)}; };
  if (!command.signed_text)
    return bad("this gateway takes signed changes only (--remote-key); metergate sign makes them");
  const SignedText& text = *command.signed_text;
  if (!p_.key->is_signature(text.text, text.signature))
    return bad("the signature is not that of the key of --remote-key");
  if (text.gateway != p_.gateway) return bad("it was signed for the gateway " + in_quotes(text.gateway));
  if (!p_.clock_rule.trusted(*p_.clock)) {
    return Failure{"clock_unsynced",
                   "the clock is not synchronised, so not_after cannot be judged; send it again later"};
  }
  const UtcTime now = p_.clock->utc();
  if (text.not_after <= now) return bad("its not_after, " + rfc3339(text.not_after) + ", is over");
  if (text.not_after > now + kLongestSigned) return bad("its not_after is more than 7 days away");
  return std::nullopt;
}

bool RemoteChanger::tell_outcome(const OpenCommand& command) {
  const RemoteOutcome* outcome = p_.trials->outcome_of(command.command.id);
  if (outcome == nullptr) return false;
  const bool confirmed = outcome->how == "confirmed";
  const std::string& before = confirmed ? outcome->from : outcome->to;
  const std::string& now = confirmed ? outcome->to : outcome->from;
  JsonWriter json;
  json.member("from", before).member("to", now);
  JsonWriter more;
  more.member("config", now);
  if (confirmed) {
    tell("config_confirmed", json.take());
    finish(command, "done", std::nullopt, more.take());
    return true;
  }
  tell("config_returned", json.member("why", outcome->how).take());
  const Failure late{"not_confirmed", "no confirm came in time; the one before is in force"};
  const Failure failed{"cannot_start", "it did not start; the one before is in force"};
  finish(command, "failed", outcome->how == late.code ? late : failed, more.take());
  return true;
}

std::optional<RemoteText> RemoteChanger::whole(const OpenCommand& command) {
  const RemoteChange& change = command.command.change;
  if (change.parts == 1) return change.text;
  if (change.part < change.parts) {
    const Status kept = p_.trials->keep_part(parts_key(change), change.part, content_of(change.text));
    if (!kept) {
      finish(command, "failed", Failure{"cannot_start", kept.error().detail});
      return std::nullopt;
    }
    JsonWriter json;
    finish(command, "done", std::nullopt, json.member("part", change.part).member("parts", change.parts).take());
    return std::nullopt;
  }
  RemoteText all;
  for (int part = 1; part < change.parts; ++part) {
    const auto content = p_.trials->part(parts_key(change), part);
    const auto json = content ? parse_json(*content) : Result<Json>(Error{Errc::kNotFound, ""});
    const auto text = json ? remote_text_of(*json) : std::nullopt;
    if (!text) {
      reject(command, "bad_command",
             "part " + std::to_string(part) + " of " + std::to_string(change.parts) +
                 " of this base has not come; send all parts again");
      return std::nullopt;
    }
    append(all, *text);
    if (size_of(all) > kLargest) {
      reject(command, "bad_command", "all parts together have more than 1 MiB");
      return std::nullopt;
    }
  }
  append(all, change.text);
  p_.trials->forget_parts();
  return all;
}

void RemoteChanger::checked(const Status& usable) {
  const OpenCommand command = std::move(*std::exchange(current_, std::nullopt));
  if (!usable) {
    const std::string folder = p_.options.dir + "/" + version_;
    return reject(command, "bad_config", "metergate check refuses it, see problems",
                  problems_of(usable.error().detail, folder));
  }
  const auto config = p_.config_of(version_);
  if (!config) return reject(command, "bad_config", config.error().detail);
  RemoteTrial trial;
  trial.version = version_;
  trial.command = command.command.id;
  trial.from = p_.config;
  trial.to = *config;
  trial.within = command.command.change.within;
  JsonWriter json;
  json.member("from", trial.from).member("to", trial.to);
  json.member("until", rfc3339(p_.clock->utc() + trial.within));
  if (Status begun = p_.trials->begin(trial); !begun) {
    return finish(command, "failed", Failure{"cannot_start", begun.error().detail});
  }
  tell("config_trial", json.take());
  p_.log->info("a new configuration is right, starting again with it on trial",
               {{"command", trial.command}, {"from", trial.from}, {"to", trial.to}});
  current_ = command;
  leaving_ = true;
  p_.restart();
}

std::variant<std::string, Failure> RemoteChanger::confirm(const std::string& config, bool fresh) {
  const auto& trial = p_.trials->state().trial;
  JsonWriter json;
  json.member("config", config);
  if (!trial || !p_.trials->on_trial()) {
    if (config == p_.config) return json.take();
    return Failure{"config_changed", "no configuration is on trial; in force is " + p_.config};
  }
  if (config != trial->to) return Failure{"config_changed", "on trial is " + trial->to + ", not " + config};
  if (!fresh || leaving_) {
    return Failure{"config_changed", "it did not come over a connection made under " + config + "; send it again"};
  }
  if (Status confirmed = p_.trials->confirm(); !confirmed) return Failure{"busy", confirmed.error().detail};
  p_.log->info("the configuration is confirmed", {{"config", config}});
  p_.trials->clean();
  if (current_) tell_outcome(*std::exchange(current_, std::nullopt));
  return json.take();
}

std::vector<std::string> RemoteChanger::pages(const std::string& local, std::size_t max_bytes) const {
  RemoteText source;
  const auto overlay = read_remote_overlay(p_.options);
  const auto* found = std::get_if<std::optional<RemoteOverlay>>(&overlay);
  const bool remote = found != nullptr && *found;
  source = remote ? (*found)->source : RemoteText{local, {}};
  std::vector<std::pair<std::string, std::string>> pieces;  // an empty name is the text
  const std::size_t longest = max_bytes / 8;                // a byte may need six in JSON
  const auto cut = [&](const std::string& name, const std::string& content) {
    std::size_t at = 0;
    do {
      std::size_t end = std::min(content.size(), at + longest);
      while (end < content.size() && end > at + 1 && (content[end] & 0xC0) == 0x80) --end;  // not within a character
      pieces.emplace_back(name, content.substr(at, end - at));
      at = end;
    } while (at < content.size());
  };
  cut("", source.text);
  for (const auto& [name, content] : source.files) cut(name, content);
  std::vector<std::string> pages;
  for (const auto& [name, content] : pieces) {
    JsonWriter json;
    json.member("config", p_.config).member("source", std::string(remote ? "remote" : "local"));
    if (const auto& trial = p_.trials->state().trial) json.member("trial", trial->command);
    if (name.empty()) {
      json.member("text", content);
    } else {
      json.key("files").begin_object().member(name, content).end_object();
    }
    pages.push_back(json.take());
  }
  return pages;
}

void RemoteChanger::reject(const OpenCommand& command, const std::string& code, const std::string& message,
                           std::string more) {
  finish(command, "rejected", Failure{code, message}, std::move(more));
}

void RemoteChanger::finish(const OpenCommand& command, std::string status, std::optional<Failure> failure,
                           std::string more) {
  CommandResult result = result_for(command.command, command.stored.received);
  result.stamp = stamp_of(*p_.clock);
  result.finished = result.stamp.at;
  result.status = std::move(status);
  result.error = std::move(failure);
  result.more = std::move(more);
  p_.inbox->complete(command.stored.key, result_draft(result));
}

void RemoteChanger::tell(const std::string& event, const std::string& members) {
  p_.outbox->append({event_draft(stamp_of(*p_.clock), event, "{" + members + "}")});
}

}  // namespace metergate
