#include <gmock/gmock.h>

#include <ostream>
#include <set>

#include "drivers/modbus/modbus_bus.h"
#include "tests/fakes/one_bus.h"
#include "tests/fakes/shared_line.h"
#include "tests/fakes/worker_bench.h"

namespace metergate {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr Millis kEvery{10'000};
constexpr minutes kKnown{2};  // until the faulty ones are known for silent: 3 polls and 10 s each
constexpr int kBaud = 2400;
// 40 registers, 8N1: 8 and 85 characters, the turnaround (t3.5 is longer than 10 ms), t3.5.
constexpr double kTransactionMs = (93 + 3.5 + 3.5) * 10'000 / kBaud;

/// The agent's bus thread, from schedule to bytes, on a line of virtual time with meters of 40 registers every 10 s.
class BusySite : public WorkerBench {
 public:
  using Meter = std::function<SharedLine::Said(int unit, const Bytes& pdu)>;

  /// `load`: of the line, that is planned; by all meters, or by the healthy ones alone.
  BusySite(double load, bool by_all, int faulty, const Meter& fault) : faulty_(faulty) {
    store_.keep_readings = false;  // an hour has thousands
    on_reading_ = [this](const Reading& reading) { count(reading); };
    SerialSettings serial;
    serial.baud = kBaud;
    serial.parity = 'N';
    site_.bus.spec.settings.port = serial;
    auto line = std::make_unique<SharedLine>(clock_, kBaud, 7);
    line_ = line.get();
    line_->meter = [this, fault](int unit, const Bytes& pdu) {
      return trouble_ && unit <= faulty_ ? fault(unit, pdu) : SharedLine::Said{SharedLine::answer(unit, pdu)};
    };
    const int meters =
        static_cast<int>(load * static_cast<double>(kEvery.count()) / kTransactionMs) + (by_all ? 0 : faulty);
    for (int unit = 1; unit <= meters; ++unit) {
      site_.poll(site_.meter("m" + std::to_string(unit), unit), kEvery, {"wide"});
    }
    bus_ = std::make_unique<ModbusBus>(site_.bus.spec.settings, std::move(line), clock_);
    start(site_.bus, *bus_);
  }

  void begin_trouble() { trouble_ = true; }
  /// Of the healthy meters' slots from now on, those with a good reading.
  double kept(Nanos time) {
    good_ = 0;
    run(time);
    const auto healthy = static_cast<double>(site_.bus.meters.size()) - faulty_;
    return static_cast<double>(good_) / (healthy * static_cast<double>(time / kEvery));
  }
  SharedLine& line() { return *line_; }
  MonoTime now() const { return clock_.mono(); }
  BusState state() const { return worker_->state(); }
  /// That gave a good reading since the last call.
  std::size_t take_seen() { return std::exchange(seen_, {}).size(); }

 private:
  void count(const Reading& reading) {
    const int unit = std::atoi(reading.meter.c_str() + 1);
    if (reading.error || !reading.errors.empty() || unit <= faulty_) return;
    seen_.insert(unit);
    if (reading.slot) ++good_;
  }

  OneBus site_{"", "0", "wide = holding 1000 string registers=40\n"};
  int faulty_;
  bool trouble_ = false;
  std::int64_t good_ = 0;
  std::set<int> seen_;
  SharedLine* line_ = nullptr;
  std::unique_ptr<ModbusBus> bus_;
};

SharedLine::Said nothing(int, const Bytes&) { return {}; }
template <int code>
SharedLine::Said exception(int, const Bytes& pdu) {
  return {{static_cast<std::uint8_t>(pdu[0] | 0x80), code}};
}
SharedLine::Said noise(int unit, const Bytes& pdu) {
  SharedLine::Said said{SharedLine::answer(unit, pdu)};
  said.broken = true;
  return said;
}
SharedLine::Said the_request(int, const Bytes& pdu) { return {pdu}; }

struct Trouble {
  const char* what;
  int faulty;
  SharedLine::Said (*fault)(int unit, const Bytes& pdu);
};
void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.what; }

class FairnessTest : public ::testing::TestWithParam<Trouble> {};

TEST_P(FairnessTest, HealthyMetersKeepTheirSlotsAtEightyPercentOfTheLine) {
  BusySite site(0.8, true, GetParam().faulty, GetParam().fault);
  site.run(minutes(2));
  site.begin_trouble();
  site.run(kKnown);

  EXPECT_GE(site.kept(minutes(30)), 0.99);
}

TEST_P(FairnessTest, HealthyMetersKeepTheirShareOfASaturatedLine) {
  static const double undisturbed = BusySite(1.2, false, 0, nothing).kept(minutes(20));
  BusySite site(1.2, false, GetParam().faulty, GetParam().fault);
  site.begin_trouble();
  site.run(kKnown);

  EXPECT_GE(site.kept(minutes(20)), 0.94 * undisturbed);
  EXPECT_TRUE(site.state().overloaded);
}

INSTANTIATE_TEST_SUITE_P(Beside, FairnessTest,
                         ::testing::Values(Trouble{"a dead meter", 1, nothing}, Trouble{"ten dead meters", 10, nothing},
                                           Trouble{"one that refuses all addresses", 1, exception<2>},
                                           Trouble{"one that is always busy", 1, exception<6>},
                                           Trouble{"one that fails", 1, exception<4>},
                                           Trouble{"a dead meter behind a gateway", 1, exception<11>},
                                           Trouble{"one that says noise", 1, noise},
                                           Trouble{"one that repeats the request", 1, the_request}));

TEST(ShortedLineTest, EveryMeterIsReadAgainSoonAfterTheShortIsOver) {
  BusySite site(0.8, true, 0, nothing);
  site.run(minutes(1));
  site.line().shorted = site.now() + minutes(20);
  site.run(minutes(20));
  site.take_seen();

  site.run(seconds(60));

  EXPECT_EQ(site.take_seen(), site.state().meters.size());
  EXPECT_GE(site.kept(minutes(10)), 0.99);
}

}  // namespace
}  // namespace metergate
