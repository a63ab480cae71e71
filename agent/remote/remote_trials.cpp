#include "agent/remote/remote_trials.h"

#include <algorithm>
#include <utility>

namespace metergate {

namespace {

const char* const kState = "state";

std::string part_name(const std::string& change, int part) { return "parts/" + change + "-" + std::to_string(part); }

}  // namespace

Status RemoteTrials::load() {
  state_ = {};
  const auto text = files_.read(kState);
  if (!text) return text.error().code == Errc::kNotFound ? Status() : Status(text.error());
  auto state = parse_remote_state(*text);
  if (!state) return state.error();
  state_ = std::move(*state);
  return {};
}

Status RemoteTrials::save(RemoteState next) {
  if (Status written = files_.write(kState, remote_state_text(next)); !written) return written;
  state_ = std::move(next);
  return {};
}

const RemoteOutcome* RemoteTrials::outcome_of(const std::string& command) const {
  const auto found = std::find_if(state_.outcomes.begin(), state_.outcomes.end(),
                                  [&](const RemoteOutcome& outcome) { return outcome.command == command; });
  return found == state_.outcomes.end() ? nullptr : &*found;
}

Result<std::string> RemoteTrials::write(const RemoteText& change) {
  clean();
  const std::string version = "v" + std::to_string(state_.versions + 1);
  files_.remove(version);
  for (const auto& [name, content] : change.files) {
    const Status file = files_.write(version + "/" + kRemoteFilesName + "/" + name, content);
    if (!file) return file.error();
  }
  if (Status text = files_.write(version + "/" + kRemoteTextName, change.text); !text) return text.error();
  return version;
}

Status RemoteTrials::begin(RemoteTrial trial) {
  RemoteState next = state_;
  trial.phase = RemoteTrial::Phase::kNew;
  next.trial = std::move(trial);
  ++next.versions;
  return save(std::move(next));
}

Status RemoteTrials::keep_part(const std::string& change, int part, const std::string& content) {
  return files_.write(part_name(change, part), content);
}

Result<std::string> RemoteTrials::part(const std::string& change, int part) {
  return files_.read(part_name(change, part));
}

Status RemoteTrials::start() {
  if (!state_.trial) return {};
  const bool failed = state_.trial->phase == RemoteTrial::Phase::kStarting;
  if (failed || state_.trial->starts >= kMostStarts) return end("cannot_start");
  RemoteState next = state_;
  next.trial->phase = RemoteTrial::Phase::kStarting;
  ++next.trial->starts;
  return save(std::move(next));
}

Status RemoteTrials::ready() {
  if (!on_trial()) return {};
  RemoteState next = state_;
  next.trial->phase = RemoteTrial::Phase::kRunning;
  return save(std::move(next));
}

Status RemoteTrials::spend(Millis more) {
  if (!on_trial()) return {};
  RemoteState next = state_;
  next.trial->spent += more;
  return save(std::move(next));
}

Status RemoteTrials::confirm() { return on_trial() ? end("confirmed") : Status(); }

Status RemoteTrials::give_up(const std::string& how) { return state_.trial ? end(how) : Status(); }

Status RemoteTrials::end(const std::string& how) {
  RemoteState next = state_;
  const RemoteTrial& trial = *state_.trial;
  if (how == "confirmed") next.confirmed = trial.version;
  next.outcomes.push_back({trial.command, how, trial.from, trial.to});
  if (next.outcomes.size() > RemoteState::kMostOutcomes) next.outcomes.erase(next.outcomes.begin());
  next.trial.reset();
  return save(std::move(next));
}

void RemoteTrials::clean() {
  for (const std::string& name : files_.list()) {
    const bool used = name == state_.confirmed || (state_.trial && name == state_.trial->version);
    if (name.size() > 1 && name[0] == 'v' && !used) files_.remove(name);
  }
}

}  // namespace metergate
