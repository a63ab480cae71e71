// A model of a fleet whose broker was away: when are all gateways connected again? It runs the very class that chooses
// the pauses, and beside it a simple exponential backoff as most clients have it: a first pause that is the same for
// all, doubling to 60 s, and 10 s of patience. Prints a table; takes a minute or two. With arguments it prints one case
// of the present algorithm, as tests/bench/fleet.py measures it: fleet_model GATEWAYS AWAY refused|silent RATE.
//
// The model: at 0 all links are lost; the broker is back at `away`. It serves accepted sockets one after the other, so
// many TLS connects a second. A client leaves after its patience; the handshake that it abandons costs the broker
// `abandoned` of a whole one. While the broker is away a connect is refused at once, or (silent) fails after 10 s. A
// broker that sheds answers with a reset when 5 s of work wait.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <queue>
#include <random>
#include <vector>

#include "agent/uplink/reconnect_pauses.h"

namespace {

using metergate::Backoff;
using metergate::Millis;
using metergate::ReconnectPauses;
using Seconds = double;

constexpr Seconds kEnd = 3600;
constexpr Seconds kTcpPatience = 10;
constexpr Seconds kShedAt = 5;

Seconds seconds(Millis d) { return static_cast<Seconds>(d.count()) / 1000; }

/// How one gateway tries.
class Algorithm {
 public:
  virtual ~Algorithm() = default;
  virtual Seconds after_refusal() = 0;
  virtual Seconds after_silence() = 0;
  virtual Seconds patience() const = 0;
};

class Present : public Algorithm {
 public:
  explicit Present(metergate::Draw draw) : pauses_(Millis{500}, Millis{30'000}, std::move(draw)) {}
  Seconds after_refusal() override { return seconds(pauses_.after_refusal()); }
  Seconds after_silence() override { return seconds(pauses_.after_silence()); }
  Seconds patience() const override { return seconds(pauses_.patience()); }

 private:
  ReconnectPauses pauses_;
};

class Former : public Algorithm {
 public:
  explicit Former(metergate::Draw draw) : backoff_(Millis{1'000}, Millis{60'000}, std::move(draw)) {}
  Seconds after_refusal() override { return seconds(backoff_.next()); }
  Seconds after_silence() override { return after_refusal(); }
  Seconds patience() const override { return 10; }

 private:
  Backoff backoff_;
};

struct Case {
  int gateways;
  Seconds away;
  bool silent;       ///< away: a connect is not refused, it just gets no answer
  double rate;       ///< TLS connects a second
  double abandoned;  ///< cost of a handshake whose client has left
  bool sheds;
};

struct Outcome {
  std::vector<Seconds> connected;  ///< since the broker's return, sorted
  std::vector<Seconds> first;      ///< tries, since the loss, sorted
  int tries = 0;
  int peak = 0;  ///< most tries in one second
  int first_peak = 0;
};

enum class What { kTry, kLeave, kWork };

struct Event {
  Seconds at;
  What what;
  std::size_t gateway;
  bool operator>(const Event& other) const { return at > other.at; }
};

template <class Which>
Outcome run(const Case& c) {
  std::mt19937_64 generator(7);
  const metergate::Draw draw = [&] { return std::uniform_real_distribution<double>(0, 1)(generator); };
  std::vector<std::unique_ptr<Algorithm>> gateways;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
  std::vector<int> tries(static_cast<std::size_t>(kEnd) + 1), firsts(tries.size());
  Outcome outcome;
  for (std::size_t i = 0; i < static_cast<std::size_t>(c.gateways); ++i) {
    gateways.push_back(std::make_unique<Which>(draw));
    const Seconds first = gateways.back()->after_refusal();
    events.push({first, What::kTry, i});
    outcome.first.push_back(first);
    ++firsts[static_cast<std::size_t>(first)];
  }
  std::vector<bool> connected(gateways.size());
  struct Socket {
    std::size_t gateway;
    Seconds leaves;
  };
  std::deque<Socket> accepted;
  bool busy = false;
  while (!events.empty() && events.top().at < kEnd) {
    const Event event = events.top();
    const Seconds now = event.at;
    events.pop();
    Algorithm& gateway = *gateways[event.gateway];
    if (event.what == What::kWork) {
      busy = false;
    } else if (event.what == What::kLeave) {
      if (!connected[event.gateway]) events.push({now + gateway.after_silence(), What::kTry, event.gateway});
    } else {
      ++tries[static_cast<std::size_t>(now)];
      ++outcome.tries;
      if (now < c.away) {
        events.push({now + (c.silent ? kTcpPatience : 0) + gateway.after_refusal(), What::kTry, event.gateway});
      } else if (c.sheds && static_cast<double>(accepted.size()) > kShedAt * c.rate) {
        events.push({now + gateway.after_refusal(), What::kTry, event.gateway});
      } else {
        accepted.push_back({event.gateway, now + gateway.patience()});
        events.push({now + gateway.patience(), What::kLeave, event.gateway});
      }
    }
    if (busy || accepted.empty()) continue;
    busy = true;
    const Socket next = accepted.front();
    accepted.pop_front();
    const Seconds done = now + 1 / c.rate;
    if (done > next.leaves) {
      events.push({now + c.abandoned / c.rate, What::kWork, 0});
      continue;
    }
    connected[next.gateway] = true;
    outcome.connected.push_back(done - c.away);
    events.push({done, What::kWork, 0});
  }
  std::sort(outcome.connected.begin(), outcome.connected.end());
  std::sort(outcome.first.begin(), outcome.first.end());
  outcome.peak = *std::max_element(tries.begin(), tries.end());
  outcome.first_peak = *std::max_element(firsts.begin(), firsts.end());
  return outcome;
}

void print(const Outcome& outcome, int gateways) {
  for (const double part : {0.5, 0.9, 0.99, 1.0}) {
    const auto index = static_cast<std::size_t>(std::max(0.0, part * gateways - 1));
    if (index < outcome.connected.size()) {
      std::printf(" %6.0f", outcome.connected[index]);
    } else {
      std::printf("  never");
    }
  }
  std::printf(" %7d", outcome.peak);
}

/// Median, 90 %, last.
void print_spread(const char* what, const std::vector<Seconds>& sorted, int gateways) {
  std::printf("%s: ", what);
  for (const double part : {0.5, 0.9, 1.0}) {
    const auto index = static_cast<std::size_t>(std::max(0.0, part * gateways - 1));
    if (part > 0.5) std::printf(" / ");
    if (index < sorted.size()) {
      std::printf("%.1f", sorted[index]);
    } else {
      std::printf("never");
    }
  }
  std::printf(" | ");
}

void print_case(const Case& c) {
  const Outcome outcome = run<Present>(c);
  print_spread("first tries s", outcome.first, c.gateways);
  std::printf("of them in the busiest s: %d | ", outcome.first_peak);
  print_spread("back s", outcome.connected, c.gateways);
  std::printf("tries: %d | in the busiest s: %d\n", outcome.tries, outcome.peak);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5) {
    print_case({std::atoi(argv[1]), std::atof(argv[2]), argv[3][0] == 's', std::atof(argv[4]), 1, false});
    return 0;
  }
  std::printf("Seconds after the broker's return until so many gateways are connected; never: not within an hour.\n\n");
  std::printf("%8s %5s %-8s %6s %5s %-5s | %-36s | %s\n", "gateways", "away", "how", "rate/s", "cost", "sheds",
              "former:  50%    90%    99%    all  peak/s", "present: 50%    90%    99%    all  peak/s");
  const std::vector<Case> cases{
      {100, 5, false, 500, 1, false},       {100, 40, false, 500, 1, false},      {100, 40, true, 500, 1, false},
      {100, 300, false, 500, 1, false},     {100, 300, true, 500, 1, false},      {100'000, 0, false, 500, 1, false},
      {100'000, 0, false, 500, 0.1, false}, {100'000, 40, false, 500, 1, false},  {100'000, 300, true, 500, 1, false},
      {100'000, 0, false, 1000, 1, false},  {100'000, 40, false, 1000, 1, false}, {100'000, 40, false, 500, 1, true},
  };
  for (const Case& c : cases) {
    std::printf("%8d %5.0f %-8s %6.0f %5.1f %-5s |        ", c.gateways, c.away, c.silent ? "silent" : "refused",
                c.rate, c.abandoned, c.sheds ? "yes" : "no");
    print(run<Former>(c), c.gateways);
    std::printf(" |         ");
    print(run<Present>(c), c.gateways);
    std::printf("\n");
    std::fflush(stdout);
  }
}
