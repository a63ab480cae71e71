#include "agent/base/clock.h"

#include <sys/timex.h>
#include <time.h>

#include <cerrno>

namespace metergate {

#ifdef METERGATE_TIME_T
static_assert(sizeof(time_t) == METERGATE_TIME_T, "time_t is not that of the libraries of the target");
#endif

namespace {
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr Millis kNear{5};  // two readings so close belong to one moment
constexpr int kTries = 10;
}  // namespace

MonoTime SystemClock::mono() const { return std::chrono::time_point_cast<Nanos>(std::chrono::steady_clock::now()); }

// clock_gettime with 64-bit arithmetic: libstdc++'s system_clock is narrower on 32-bit ARM.
UtcTime SystemClock::utc() const {
  timespec ts{};
  clock_gettime(CLOCK_REALTIME, &ts);
  return from_ms(static_cast<std::int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1'000'000);
}

bool SystemClock::synced() const {
  if (trusted_) return true;
  timex tx{};
  return adjtimex(&tx) != -1 && (tx.status & STA_UNSYNC) == 0;
}

void SystemClock::sleep_until(MonoTime t) const {
  const std::int64_t ns = t.time_since_epoch().count();
  timespec ts{};
  ts.tv_sec = static_cast<time_t>(ns / kNanosPerSecond);
  ts.tv_nsec = static_cast<long>(ns % kNanosPerSecond);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, nullptr) == EINTR) {
  }
}

Moment moment_of(const Clock& clock) {
  Moment moment{clock.mono(), clock.utc()};
  for (int i = 0; i < kTries && clock.mono() - moment.mono > kNear; ++i) moment = {clock.mono(), clock.utc()};
  return moment;
}

}  // namespace metergate
