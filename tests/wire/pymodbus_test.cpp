#include <gmock/gmock.h>
#include <stdlib.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <memory>
#include <optional>

#include "drivers/line/make_bus.h"
#include "tests/wire/child.h"
#include "tests/wire/free_port.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;

enum class Way { kRtu, kTcp, kRtuOverTcp };

/// A folder for the two ends of a line, gone with this object.
class Line {
 public:
  Line() {
    std::string pattern = "/tmp/metergate-line-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder in /tmp");
    folder_ = pattern;
    plug_in();
  }
  ~Line() {
    unplug();
    unlink(master().c_str());
    unlink(slave().c_str());
    rmdir(folder_.c_str());
  }
  std::string master() const { return folder_ + "/master"; }
  std::string slave() const { return folder_ + "/slave"; }

  /// Both ends are there, and a pymodbus slave at one of them.
  void plug_in() {
    socat_.emplace(
        std::vector<std::string>{"socat", "pty,raw,echo=0,link=" + master(), "pty,raw,echo=0,link=" + slave()});
    for (int i = 0; i < 200 && access(slave().c_str(), F_OK) != 0; ++i) usleep(10'000);
    slave_.emplace(std::vector<std::string>{"/usr/bin/python3", "-B", PYMODBUS_SLAVE, "rtu", slave()});
  }
  void unplug() {
    slave_.reset();
    socat_.reset();
    unlink(master().c_str());
    unlink(slave().c_str());
  }

 private:
  std::string folder_;
  std::optional<Child> socat_, slave_;
};

/// A way to a pymodbus slave, and a bus that uses it.
class Bench {
 public:
  explicit Bench(Way way) {
    TcpSettings socket;
    socket.host = "127.0.0.1";
    if (way != Way::kTcp) line_.emplace();
    if (way == Way::kRtu) {
      SerialSettings serial;
      serial.device = line_->master();
      serial.baud = 9600;
      serial.parity = 'N';
      settings_.port = serial;
    } else {
      socket.port = free_port();
      socket.rtu = way == Way::kRtuOverTcp;
      settings_.port = socket;
    }
    if (way == Way::kTcp) {
      server_.emplace(
          std::vector<std::string>{"/usr/bin/python3", "-B", PYMODBUS_SLAVE, "tcp", std::to_string(socket.port)});
    }
    if (way == Way::kRtuOverTcp) {
      server_.emplace(
          std::vector<std::string>{"socat", "TCP-LISTEN:" + std::to_string(socket.port) + ",bind=127.0.0.1,reuseaddr",
                                   "FILE:" + line_->master() + ",raw,echo=0"});
    }
    settings_.timeout = Millis{300};
    bus_ = make_line_bus(settings_, clock_);
    wait_for_the_slave();
  }

  Line& line() { return *line_; }
  Bus& bus() { return *bus_; }
  Result<Words> read(int unit, Block block) { return bus_->read(target(unit), block); }
  WriteOutcome write(int unit, const Write& write) { return bus_->write(target(unit), write); }
  /// At most 10 s; the first reads show whether it has come.
  void wait_for_the_slave() {
    for (int i = 0; i < 100; ++i) {
      if ((bus_->is_open() || bus_->open()) && read(1, {Table::kHolding, 0, 1})) return;
      usleep(100'000);
    }
    ADD_FAILURE() << "no pymodbus slave; is python3-pymodbus installed?";
  }
  static Target target(int unit) {
    Target target;
    target.address = std::to_string(unit);
    return target;
  }

 private:
  SystemClock clock_;
  BusSettings settings_;
  std::optional<Line> line_;
  std::optional<Child> server_;
  std::unique_ptr<Bus> bus_;
};

class PymodbusTest : public ::testing::TestWithParam<Way> {
 protected:
  static void SetUpTestSuite() { std::signal(SIGPIPE, SIG_IGN); }
  static void TearDownTestSuite() { benches().clear(); }
  static std::map<Way, std::unique_ptr<Bench>>& benches() {
    static std::map<Way, std::unique_ptr<Bench>> all;
    return all;
  }
  static Bench& bench() {
    std::unique_ptr<Bench>& bench = benches()[GetParam()];
    if (!bench) bench = std::make_unique<Bench>(GetParam());
    return *bench;
  }
  static Words read(int unit, Block block) {
    const Result<Words> words = bench().read(unit, block);
    EXPECT_TRUE(words) << words.error().detail;
    return words ? *words : Words{};
  }
  static void write(int unit, const Write& write) {
    const WriteOutcome outcome = bench().write(unit, write);
    EXPECT_TRUE(outcome.status) << outcome.status.error().detail;
    EXPECT_TRUE(outcome.sent);
  }
};

TEST_P(PymodbusTest, GivesEachTablesValuesOfTheUnitThatWasAsked) {
  EXPECT_THAT(read(1, {Table::kHolding, 10, 3}), ElementsAre(1010, 1011, 1012));
  EXPECT_THAT(read(2, {Table::kHolding, 10, 3}), ElementsAre(2010, 2011, 2012));
  EXPECT_THAT(read(2, {Table::kInput, 199, 1}), ElementsAre(2299));
  EXPECT_THAT(read(1, {Table::kCoil, 120, 4}), ElementsAre(1, 0, 0, 1));
  EXPECT_THAT(read(1, {Table::kDiscrete, 2, 9}), ElementsAre(0, 1, 0, 0, 1, 0, 0, 1, 0));
}

TEST_P(PymodbusTest, GivesAsManyRegistersAndBitsAsAFrameHolds) {
  const Words registers = read(1, {Table::kHolding, 60, 125});
  ASSERT_EQ(registers.size(), 125u);
  EXPECT_EQ(registers.back(), 1184);
  EXPECT_EQ(read(1, {Table::kDiscrete, 0, 200}).size(), 200u);
}

TEST_P(PymodbusTest, TakesEveryFormOfWrite) {
  using Form = Write::Form;
  write(1, {Form::kCoil, 1, {1}});
  write(1, {Form::kCoils, 4, {1, 1, 0, 1, 1, 0, 1, 1, 1, 1}});
  write(1, {Form::kRegister, 20, {0xBEEF}});
  write(1, {Form::kRegisters, 30, {1, 2, 3}});

  EXPECT_THAT(read(1, {Table::kCoil, 0, 4}), ElementsAre(1, 1, 0, 1));
  EXPECT_THAT(read(1, {Table::kCoil, 4, 10}), ElementsAre(1, 1, 0, 1, 1, 0, 1, 1, 1, 1));
  EXPECT_THAT(read(1, {Table::kHolding, 20, 1}), ElementsAre(0xBEEF));
  EXPECT_THAT(read(1, {Table::kHolding, 30, 4}), ElementsAre(1, 2, 3, 1033));
}

TEST_P(PymodbusTest, RefusesAnAddressThatItDoesNotHave) {
  const Result<Words> words = bench().read(1, {Table::kHolding, 199, 2});
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().code, Errc::kException);
  EXPECT_EQ(words.error().exception, 2);

  const WriteOutcome outcome = bench().write(1, {Write::Form::kRegister, 200, {1}});
  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().code, Errc::kException);
  EXPECT_EQ(outcome.status.error().exception, 2);
  EXPECT_TRUE(outcome.sent);
}

TEST_P(PymodbusTest, DoesNotAnswerForAnAbsentUnitAndGoesOnWithTheOthers) {
  const Result<Words> words = bench().read(9, {Table::kHolding, 10, 3});
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().code, Errc::kTimeout);

  EXPECT_THAT(read(1, {Table::kHolding, 10, 3}), ElementsAre(1010, 1011, 1012));
}

INSTANTIATE_TEST_SUITE_P(Ways, PymodbusTest, ::testing::Values(Way::kRtu, Way::kTcp, Way::kRtuOverTcp));

TEST(UnpluggedLineTest, IsDownAtOnceAndUsableAgainOnceItIsBack) {
  Bench bench(Way::kRtu);
  bench.line().unplug();

  const Result<Words> words = bench.read(1, {Table::kHolding, 10, 1});
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().code, Errc::kBusDown);
  EXPECT_FALSE(bench.bus().is_open());
  EXPECT_EQ(bench.bus().open().error().code, Errc::kBusDown);

  bench.line().plug_in();
  bench.wait_for_the_slave();
  EXPECT_TRUE(bench.bus().is_open());
  EXPECT_EQ(bench.bus().counters().opened, 2);
}

}  // namespace
}  // namespace metergate
