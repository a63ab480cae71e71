// fill_store PATH GATEWAY COUNT: a store with so many undelivered readings of 20 points, a second apart, up to now.
#include <cstdio>
#include <cstdlib>

#include "agent/protocol/codec.h"
#include "store/sqlite/file_store.h"

using namespace metergate;

namespace {

constexpr int kSlice = 5000;

Draft reading_at(UtcTime at, int number) {
  Reading reading;
  reading.stamp = {at, true};
  reading.meter = "old";
  reading.poll = "main";
  reading.catalog = "0000cafe";
  for (int point = 0; point < 20; ++point) {
    const std::string text = std::to_string(number) + "." + std::to_string(10 + point);
    reading.values.emplace_back("point_" + std::to_string(point), Value{Value::Form::kNumber, text, std::nullopt});
  }
  return reading_draft(reading, false);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 64;
  const SystemClock clock(true);
  Log log(LogLevel::kWarning, LogFormat::kText, clock);
  StoreSettings settings;
  settings.path = argv[1];
  settings.gateway = argv[2];
  settings.max_bytes = 2ll << 30;
  const int count = std::atoi(argv[3]);
  const auto files = posix_file_system();
  auto store = FileStore::open(settings, record_format(settings.gateway, clock), *files, clock, log);
  if (!store) return std::fprintf(stderr, "%s\n", store.error().detail.c_str()), 1;
  const Draft started = event_draft(stamp_of(clock), "started", "{}");
  if (const Status begun = (*store)->begin("f111ed0f111e", started, {[] {}, [] {}, [] {}}); !begun) return 1;
  const UtcTime end = clock.utc();
  for (int i = 0; i < count;) {
    std::vector<Draft> drafts;
    for (int n = 0; n < kSlice && i < count; ++n, ++i)
      drafts.push_back(reading_at(end - std::chrono::seconds(count - i), i));
    (*store)->append(std::move(drafts));
    clock.sleep_until(clock.mono() + Millis{1});
    while ((*store)->step(clock.mono() + std::chrono::seconds(2)) <= clock.mono()) {
    }
  }
  return (*store)->finish() ? 0 : 1;
}
