#include "agent/cli/data_volume.h"

#include <algorithm>
#include <cmath>

#include "agent/cli/bus_load.h"
#include "agent/protocol/codec.h"
#include "store/sqlite/quota.h"

namespace metergate {

namespace {

constexpr double kDaySeconds = 86400;
constexpr double kPage = Quota::kPage;
constexpr double kRowOverhead = 60;   // of a record's row beside its bytes
constexpr double kPageUsable = 4060;  // of a page, for rows that lie in it whole
constexpr double kDeleting = 2.1;     // bytes written for each byte that is deleted in large ranges
constexpr std::int64_t kSampleNumber = 1'000'000;
constexpr const char* kSampleEpoch = "0123456789ab";

/// A value of usual length.
Value sample_value(const Point& point) {
  Value value;
  value.form = Value::Form::kNumber;
  value.text = point.kind == PointKind::kCounter ? "1234567.89" : "1234.5";
  if (!point.names.empty() || point.type == PointType::kString || point.type == PointType::kTime) {
    value.form = Value::Form::kText;
    std::size_t longest = point.type == PointType::kTime ? 20
                          : point.table == Table::kItem  ? point.places.front().count
                                                         : static_cast<std::size_t>(point.registers * point.chars);
    for (const auto& [number, name] : point.names) longest = std::max(longest, name.size());
    value.text = std::string(longest, 'x');
  }
  return value;
}

/// Bytes of the database file that a row takes. Longer rows lie in pages of their own.
double row_bytes(double record) {
  const double row = record + kRowOverhead;
  return row <= kPageUsable ? kPage / std::floor(kPageUsable / row) : std::ceil(row / kPage) * kPage;
}

/// Bytes that reach the medium for `rows` in one commit, as measured on ext4 with SQLite 3.40 in WAL mode,
/// synchronous=FULL, 4 KiB pages (within 10 % from 1 to 1000 rows of 228 bytes): each touched page goes into the WAL,
/// where the frame's header makes it straddle one more; a page added to a table touches its parent and the file's first
/// page; writing back the WAL writes the rows once more. The counters are one page further.
double commit_bytes(double rows, double row) {
  const double fresh = rows * row / kPage;
  const double pages = 1 + fresh + 2 * std::min(1.0, fresh) + 1;
  return kPage * (pages + 1) + rows * row;
}

}  // namespace

double readings_a_day(const BusConfig& bus, std::size_t poll) {
  const Millis every = bus.polls[poll].every;
  if (every > Millis{0}) return kDaySeconds * 1000 / static_cast<double>(every.count());
  const BusLoad load = bus_load(bus);
  const double rest = std::max(0.0, 1 - load.share) * kDaySeconds;
  return rest / std::max(1e-6, std::chrono::duration<double>(load.round).count());
}

std::size_t reading_size(const std::string& gateway, const BusConfig& bus, const PollConfig& poll) {
  const MeterSpec& meter = bus.meters[poll.meter].spec;
  Reading reading;
  reading.stamp = Stamp{from_ms(0), true};
  reading.meter = meter.id;
  reading.poll = poll.name;
  reading.slot = from_ms(0);
  reading.span = Millis{100};
  reading.catalog = "01234567";
  reading.serial = meter.serial;
  for (const Point* point : poll.points) reading.values.emplace_back(point->name, sample_value(*point));
  const std::string body = reading_draft(reading, poll.keep_high).body;
  return record_bytes(gateway, kSampleEpoch, Lane::kReadings, kSampleNumber, body).size();
}

DataVolume data_volume_of(const Site& site, const StoreSettings& store) {
  DataVolume volume;
  for (const BusConfig& bus : site.buses) {
    for (std::size_t i = 0; i < bus.polls.size(); ++i) {
      const double records = readings_a_day(bus, i);
      const auto size = static_cast<double>(reading_size(store.gateway, bus, bus.polls[i]));
      volume.records += records;
      volume.bytes += records * size;
      volume.stored += records * row_bytes(size);
    }
  }
  if (volume.records < 1) return volume;
  const Quota quota(store.max_bytes);
  const double usable = static_cast<double>(quota.pages - Quota::reserve(quota.pages)) * kPage;
  volume.days = usable / volume.stored;
  const double pace = static_cast<double>(std::max<Millis::rep>(1, store.commit_every.count())) / 1000;
  const double commits = std::min(volume.records, kDaySeconds / pace);
  const double row = volume.stored / volume.records;
  volume.flash = commits * commit_bytes(volume.records / commits, row) + kDeleting * volume.stored;
  return volume;
}

}  // namespace metergate
