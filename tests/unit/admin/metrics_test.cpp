#include <gmock/gmock.h>

#include <regex>
#include <set>
#include <sstream>

#include "agent/admin/metrics_text.h"

namespace metergate {
namespace {

using testing::HasSubstr;
using testing::Not;

Snapshot busy_gateway() {
  Snapshot s;
  s.gateway = "gw";
  s.version = "1.2.3";
  s.epoch = "0123456789ab";
  s.since = from_ms(1'763'805'600'250);
  s.clock_synced = true;
  BusState bus;
  bus.name = "plant";
  bus.up = true;
  bus.counters.answers = 7;
  bus.counters.timeouts = 2;
  bus.counters.late_bytes = 9;
  bus.counters.late_frames = 1;
  bus.counters.foreign_frames = 21;
  bus.second_master = true;
  bus.slots_wanted = 60;
  bus.slots_kept = 45;
  bus.counters.busy_us = 1'234'567;
  MeterState meter;
  meter.id = "main";
  meter.good = 5;
  meter.last_good = from_ms(1'763'805'601'005);
  meter.turnaround = Turnaround{Micros{21'500}, Micros{180'000}, Millis{360}};
  MeterState never;
  never.id = "never";
  never.silent = true;
  bus.meters = {meter, never};
  s.buses = {bus};
  s.store.lanes[0].waiting = 3;
  s.store.lanes[0].oldest_ms = 1'763'805'600'000;
  s.store.lanes[0].dropped = 4;
  s.store.commits = 10;
  s.store.failed_commits = 1;
  s.store.commit_us_sum = 45;
  s.uplink.connected = true;
  s.uplink.sources[0].records = 11;
  s.uplink.oldest_unacked = Millis{1'500};
  return s;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(Metrics, TellWhatIsCounted) {
  const std::string text = metrics_text(busy_gateway());
  for (const char* line : {
           "metergate_info{gateway=\"gw\",version=\"1.2.3\",epoch=\"0123456789ab\"} 1",
           "metergate_start_time_seconds 1763805600.250",
           "metergate_clock_synced 1",
           "metergate_bus_up{bus=\"plant\"} 1",
           "metergate_bus_busy_seconds_total{bus=\"plant\"} 1.234567",
           "metergate_bus_transactions_total{bus=\"plant\",outcome=\"answer\"} 7",
           "metergate_bus_transactions_total{bus=\"plant\",outcome=\"timeout\"} 2",
           "metergate_bus_late_bytes_total{bus=\"plant\"} 9",
           "metergate_bus_slots_wanted_total{bus=\"plant\"} 60",
           "metergate_bus_slots_kept_total{bus=\"plant\"} 45",
           "metergate_bus_late_frames_total{bus=\"plant\"} 1",
           "metergate_bus_foreign_frames_total{bus=\"plant\"} 21",
           "metergate_bus_second_master{bus=\"plant\"} 1",
           "metergate_meter_silent{bus=\"plant\",meter=\"never\"} 1",
           "metergate_meter_last_good_reading_timestamp_seconds{bus=\"plant\",meter=\"main\"} 1763805601.005",
           "metergate_meter_turnaround_seconds{bus=\"plant\",meter=\"main\"} 0.021500",
           "metergate_meter_slowest_answer_seconds{bus=\"plant\",meter=\"main\"} 0.180000",
           "metergate_meter_answer_deadline_seconds{bus=\"plant\",meter=\"main\"} 0.360000",
           "metergate_meter_readings_total{bus=\"plant\",meter=\"main\",quality=\"good\"} 5",
           "metergate_lane_waiting_records{lane=\"readings\"} 3",
           "metergate_lane_oldest_waiting_timestamp_seconds{lane=\"readings\"} 1763805600.000",
           "metergate_lane_sent_records_total{lane=\"readings\"} 11",
           "metergate_lane_dropped_records_total{lane=\"readings\"} 4",
           "metergate_store_commit_duration_seconds_sum 0.000045",
           "metergate_store_commit_duration_seconds_count 11",
           "metergate_uplink_connected 1",
           "metergate_uplink_oldest_unacknowledged_seconds 1.500",
       }) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line + "\n"));
  }
}

TEST(Metrics, HaveNoLineForWhatNeverHappened) {
  const std::string text = metrics_text(busy_gateway());
  EXPECT_THAT(text, Not(HasSubstr("timestamp_seconds{bus=\"plant\",meter=\"never\"}")));
  EXPECT_THAT(text, Not(HasSubstr("oldest_waiting_timestamp_seconds{lane=\"events\"}")));
}

TEST(Metrics, AreEachWellFormedAndBehindTheirOwnHelpAndType) {
  Snapshot s = busy_gateway();
  s.buses[0].meters[0].id = "a\"b\\c\nd";
  const std::regex help("# HELP (metergate_[a-z_]+) \\S.*\\.");
  const std::regex type("# TYPE (metergate_[a-z_]+) (counter|gauge|summary)");
  const std::regex sample(
      "(metergate_[a-z_]+)(\\{[a-z]+=\"([^\"\\\\]|\\\\[\"\\\\n])*\"(,[a-z]+=\"([^\"\\\\]|\\\\[\"\\\\n])*\")*\\})? "
      "-?[0-9]+(\\.[0-9]+)?");
  std::set<std::string> families, samples;
  std::string family, kind;
  for (const std::string& line : lines_of(metrics_text(s))) {
    std::smatch found;
    if (std::regex_match(line, found, help)) {
      family = found[1];
      EXPECT_TRUE(families.insert(family).second) << family << " is there twice";
    } else if (std::regex_match(line, found, type)) {
      EXPECT_EQ(found[1], family);
      kind = found[2];
      EXPECT_EQ(kind == "counter", family.size() > 6 && family.substr(family.size() - 6) == "_total") << family;
    } else {
      ASSERT_TRUE(std::regex_match(line, found, sample)) << line;
      const std::string name = found[1];
      EXPECT_TRUE(name == family || (kind == "summary" && (name == family + "_sum" || name == family + "_count")))
          << line;
      EXPECT_TRUE(samples.insert(line.substr(0, line.rfind(' '))).second) << line << " is there twice";
    }
  }
  EXPECT_GT(families.size(), 40u);
}

}  // namespace
}  // namespace metergate
