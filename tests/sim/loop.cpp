#include "tests/sim/loop.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>

namespace metersim {
namespace {

constexpr Nanos kSpin = 80 * kMicrosecond;

std::optional<Due> earliest(const std::vector<Participant*>& participants) {
  std::optional<Due> first;
  for (const auto* each : participants)
    if (const auto due = each->deadline(); due && (!first || due->at < first->at)) first = due;
  return first;
}

void sleep_for_events(std::vector<pollfd>& fds, const std::optional<Due>& due) {
  timespec timeout{};
  if (due) {
    const Nanos wait = std::max<Nanos>(0, due->at - (due->exact ? kSpin : 0) - monotonic_now());
    timeout = {static_cast<time_t>(wait / kSecond), static_cast<long>(wait % kSecond)};
  }
  const int events = ppoll(fds.data(), fds.size(), due ? &timeout : nullptr, nullptr);
  if (events == 0 && due && due->exact)
    while (monotonic_now() < due->at) {
    }
}

}  // namespace

void run_loop(const std::vector<Participant*>& participants, const bool& running) {
  prctl(PR_SET_TIMERSLACK, 1UL);
  setpriority(PRIO_PROCESS, 0,
              -15);  // hardware waits for no process; without the right to it the jitter shows in the statistics
  std::vector<pollfd> fds;
  std::vector<Participant*> owners;
  while (running) {
    fds.clear();
    owners.clear();
    for (auto* each : participants) {
      each->watch(fds);
      owners.resize(fds.size(), each);
    }
    sleep_for_events(fds, earliest(participants));
    const Nanos now = monotonic_now();
    for (std::size_t i = 0; i < fds.size(); ++i)
      if (fds[i].revents != 0) owners[i]->ready(fds[i].fd, fds[i].revents, now);
    for (auto* each : participants) each->step(now);
  }
}

}  // namespace metersim
