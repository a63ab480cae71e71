#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/bus/bus_connection.h"
#include "agent/bus/bus_parts.h"
#include "agent/bus/meter_monitor.h"
#include "agent/bus/meter_watch.h"
#include "agent/bus/missed_slots.h"
#include "agent/bus/model_check.h"
#include "agent/bus/poll_job.h"

namespace metergate {

/// The polls of one bus, one transaction a step. Order: the poll that was begun; a silent meter's turn (a twentieth of
/// the time for all of them); slots that are due; what failed in its slot; back to back. Owned by the bus's thread.
class PollRunner {
 public:
  /// All outlive it.
  PollRunner(const BusParts& parts, BusConnection& connection, MeterWatch& meters);

  /// Takes note of slots that came and tells those that were missed.
  void advance(MonoTime now, UtcTime utc);
  /// At most one transaction. False: nothing was due.
  bool step(MonoTime now);
  /// Without a port each meter that is due gives one bad reading an outage.
  void end_unreachable(MonoTime now);
  /// The port is given away: what was begun ends with what it has.
  void end_begun();
  void port_opened(MonoTime now);
  /// A valid frame came, to whomever: the bus may be up by it.
  void heard(MonoTime now);

  /// The blocks that a meter is best asked for these points now.
  std::vector<Block> plan(std::size_t meter, const std::vector<const Point*>& points);
  /// A command's answer: the poll of the meter that was begun need not ask for it again.
  void share(std::size_t meter, const Block& block, const Words& words);

  /// At the end: tells the slots that were missed and not told yet.
  void finish() { missed_.finish(schedule_); }

  MonoTime next_wake(MonoTime now, UtcTime utc) const;
  const Schedule& schedule() const { return schedule_; }

 private:
  bool choose(MonoTime now, UtcTime utc);
  bool choose_probe(MonoTime now, UtcTime utc);
  std::unique_ptr<PollJob> job_for(std::size_t meter, const std::vector<Schedule::Due>& due, MonoTime now);
  void begin(std::unique_ptr<PollJob> job, MonoTime now);
  void transact(MonoTime now);
  void go_on(MonoTime now);
  void check_model();
  void end_round(MonoTime now);
  std::vector<PollJob::Done> finish(PollJob& job, bool give_up);
  void end_closed(MonoTime now);
  void drop_parked(std::size_t meter);
  void show(std::size_t meter);
  void publish(const std::vector<PollJob::Done>& done);

  const BusParts& p_;
  BusConnection& connection_;
  MeterWatch& meters_;
  Schedule schedule_;
  MissedSlots missed_;
  std::vector<MeterMonitor> monitors_;  // by meter
  std::vector<MeterPlan> plans_;        // by meter
  std::vector<ModelCheck> models_;      // by meter
  std::unique_ptr<PollJob> current_;
  int attempt_ = 0;                             // of the current block
  std::list<std::unique_ptr<PollJob>> parked_;  // wait for another try within their slots
  MonoTime probe_allowed_{};
  std::vector<bool> told_down_;         // by meter: its bad reading of this outage was sent
  std::optional<std::size_t> checked_;  // the meter whose model is being asked
};

}  // namespace metergate
