#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "store/inbox.h"
#include "store/outbox.h"

namespace metergate {

/// Keeps what it was given; commits at once.
class RecordingStore : public Outbox, public Inbox {
 public:
  void append(std::vector<Draft> drafts) override {
    for (Draft& draft : drafts) {
      if (draft.lane == Lane::kReadings && !keep_readings) continue;
      (draft.lane == Lane::kReadings ? readings : events).push_back(parse(draft.body));
    }
  }
  Result<Batch> peek(Lane, std::int64_t, std::size_t, std::size_t) override { return Batch{}; }
  Result<std::vector<Row>> fetch(const std::vector<std::int64_t>&) override { return std::vector<Row>{}; }
  void sent(Lane, std::int64_t) override {}
  void delivered(Lane, std::int64_t) override {}
  Result<Receipted> receipt(const Receipt&, std::int64_t) override { return Receipted{}; }
  Result<std::int64_t> sent_key(Lane) override { return std::int64_t{0}; }
  Result<std::int64_t> delivered_key(Lane) override { return std::int64_t{0}; }
  StoreState state() override { return {}; }

  Result<Admission> admit(const StoredCommand& command, std::optional<Draft> verdict) override {
    if (admit_fails) return *admit_fails;
    Admission admission;
    for (const StoredCommand& known : commands) {
      if (known.id != command.id) continue;
      admission.known = done.count(known.key) > 0 ? Known::kDone : Known::kOpen;
      admission.key = known.key;
      if (admission.known == Known::kDone) admission.result = Row{known.key, Lane::kResults, "e", known.key, "r"};
      return admission;
    }
    commands.push_back(command);
    commands.back().key = admission.key = static_cast<std::int64_t>(commands.size());
    if (verdict) {
      results.push_back(parse(verdict->body));
      done[admission.key] = true;
    }
    return admission;
  }
  bool only_reserve_left() override { return reserve; }
  Result<std::vector<StoredCommand>> open_commands(const std::string& bus, std::int64_t after,
                                                   std::size_t max) override {
    asked_for.push_back(bus);
    std::vector<StoredCommand> out;
    for (const StoredCommand& c : commands) {
      if (c.bus == bus && c.key > after && done.count(c.key) == 0 && out.size() < max) out.push_back(c);
    }
    return out;
  }
  Result<std::vector<std::string>> open_buses() override {
    std::vector<std::string> out;
    for (const StoredCommand& c : commands) {
      if (done.count(c.key) == 0) out.push_back(c.bus);
    }
    return out;
  }
  Status started(std::int64_t key) override {
    if (started_fails) return *started_fails;
    marked.push_back(key);
    return {};
  }
  void complete(std::int64_t key, Draft result) override {
    results.push_back(parse(result.body));
    done[key] = true;
  }
  void dead_letter(std::string, std::string why, std::string, UtcTime) override { dead.push_back(why); }

  std::vector<std::string> names_of_events() const {
    std::vector<std::string> names;
    for (const Json& event : events) names.push_back(*event.find("event")->as_text());
    return names;
  }

  std::vector<Json> readings, events, results;
  std::vector<StoredCommand> commands;
  std::vector<std::string> asked_for;  ///< buses, whose open commands
  std::map<std::int64_t, bool> done;
  std::vector<std::int64_t> marked;
  std::vector<std::string> dead;
  std::optional<Error> admit_fails, started_fails;
  bool reserve = false;
  bool keep_readings = true;

 private:
  static Json parse(const std::string& body) { return *parse_json("{" + body + "}"); }
};

}  // namespace metergate
