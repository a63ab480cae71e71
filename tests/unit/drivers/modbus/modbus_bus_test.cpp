#include "drivers/modbus/modbus_bus.h"

#include <gmock/gmock.h>

#include <random>

#include "tests/fakes/fake_link.h"

namespace metergate {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr Millis kTimeout{200};

Block holding(int address, int count) {
  return {Table::kHolding, static_cast<std::uint16_t>(address), static_cast<std::uint16_t>(count)};
}

Words values(int unit, const Block& block) {
  Words out;
  for (int i = 0; i < block.count; ++i) out.push_back(FakeLink::value(unit, block.address + i));
  return out;
}

TcpSettings rtu_over_tcp() {
  TcpSettings socket;
  socket.rtu = true;
  return socket;
}

class ModbusBusTest : public ::testing::Test {
 protected:
  ModbusBusTest() { use(rtu_over_tcp()); }

  void use(const TcpSettings& port) {
    auto link = std::make_unique<FakeLink>(clock_);
    link_ = link.get();
    BusSettings settings;
    settings.port = port;
    settings.timeout = kTimeout;
    bus_ = std::make_unique<ModbusBus>(settings, std::move(link), clock_);
    EXPECT_TRUE(bus_->open());
  }

  /// The next requests are answered so late, or never; then all is well again.
  void next_answers(std::vector<std::optional<Millis>> delays) {
    auto left = std::make_shared<std::vector<std::optional<Millis>>>(std::move(delays));
    link_->delay = [left](const FakeLink::Asked&) -> std::optional<Nanos> {
      if (left->empty()) return Millis{5};
      const auto first = left->front();
      left->erase(left->begin());
      if (!first) return std::nullopt;
      return Nanos{*first};
    };
  }

  Result<Words> read(int unit, const Block& block) { return bus_->read(unit_target(unit), block); }
  Errc read_error(int unit, const Block& block) {
    const Result<Words> words = read(unit, block);
    EXPECT_FALSE(words);
    return words ? Errc::kNotFound : words.error().code;
  }
  static bool answered(const Result<Words>& words) { return words || words.error().code == Errc::kException; }
  static std::optional<Errc> code(const Status& status) {
    return status ? std::nullopt : std::optional<Errc>(status.error().code);
  }
  static Target unit_target(int unit) {
    Target target;
    target.address = std::to_string(unit);
    return target;
  }

  FakeClock clock_;
  FakeLink* link_ = nullptr;
  std::unique_ptr<ModbusBus> bus_;
};

/// Writes down what the bus shows.
class Watcher : public BusObserver {
 public:
  void on_frame(FrameVerdict verdict, const std::uint8_t* bytes, std::size_t size) override {
    verdicts.push_back(verdict);
    frames.emplace_back(bytes, bytes + size);
  }
  std::vector<FrameVerdict> verdicts;
  std::vector<Bytes> frames;
};

TEST_F(ModbusBusTest, ShowsEachFrameAsItWentOverTheWire) {
  Watcher watcher;
  bus_->observe(&watcher);
  EXPECT_TRUE(read(7, holding(100, 1)));
  EXPECT_THAT(watcher.verdicts, ElementsAre(FrameVerdict::kRequest, FrameVerdict::kAnswer));
  EXPECT_EQ(watcher.frames[0], rtu_frame(7, {3, 0, 100, 0, 1}));
  const FrameText text = bus_->explain(watcher.frames[1].data(), watcher.frames[1].size());
  EXPECT_EQ(text.unit, 7);
  EXPECT_EQ(text.function, 3);
  EXPECT_EQ(text.sum_right, true);
}

TEST_F(ModbusBusTest, ShowsALateAnswerAndTheGuardBeforeIt) {
  Watcher watcher;
  bus_->observe(&watcher);
  next_answers({Millis{210}});
  EXPECT_EQ(read_error(7, holding(100, 1)), Errc::kTimeout);
  EXPECT_TRUE(read(7, holding(200, 1)));
  EXPECT_THAT(watcher.verdicts, ElementsAre(FrameVerdict::kRequest, FrameVerdict::kGuard, FrameVerdict::kLate,
                                            FrameVerdict::kAnswer, FrameVerdict::kRequest, FrameVerdict::kAnswer));
}

TEST_F(ModbusBusTest, ShowsABrokenAnswerOnceAsNoise) {
  Watcher watcher;
  bus_->observe(&watcher);
  link_->delay = [this](const FakeLink::Asked& asked) -> std::optional<Nanos> {
    if (asked.unit == 7) link_->noise = {7, 3, 2, 0, 1, 0, 0};
    return asked.unit == 7 ? std::nullopt : std::optional<Nanos>(Millis{5});
  };
  EXPECT_EQ(read_error(7, holding(100, 1)), Errc::kCrc);
  EXPECT_THAT(watcher.verdicts, ElementsAre(FrameVerdict::kRequest, FrameVerdict::kNoise));
  EXPECT_EQ(watcher.frames[1], (Bytes{7, 3, 2, 0, 1, 0, 0}));
  EXPECT_TRUE(read(8, holding(100, 1)));
  EXPECT_THAT(watcher.verdicts,
              ElementsAre(FrameVerdict::kRequest, FrameVerdict::kNoise, FrameVerdict::kRequest, FrameVerdict::kAnswer));
}

TEST_F(ModbusBusTest, AsksAHealthyMeterWithoutGuards) {
  EXPECT_EQ(*read(1, holding(10, 4)), values(1, holding(10, 4)));
  EXPECT_EQ(*read(1, holding(20, 4)), values(1, holding(20, 4)));

  EXPECT_THAT(link_->asked, SizeIs(2));
}

TEST_F(ModbusBusTest, ShowsALateAnswerForNoOtherQuestionsAnswer) {
  next_answers({kTimeout + Millis{50}});

  EXPECT_EQ(read_error(1, holding(10, 4)), Errc::kTimeout);
  const Result<Words> words = read(1, holding(20, 4));
  ASSERT_TRUE(words);
  EXPECT_EQ(*words, values(1, holding(20, 4)));

  EXPECT_EQ(bus_->counters().guards, 1);
}

TEST_F(ModbusBusTest, DoesNotAskWhatTheGuardsSilenceLeavesOpen) {
  next_answers({std::nullopt, std::nullopt});
  read_error(1, holding(10, 4));

  EXPECT_EQ(read_error(1, holding(20, 4)), Errc::kTimeout);

  EXPECT_THAT(link_->asked, SizeIs(2));
}

TEST_F(ModbusBusTest, LetsTheNextMeterAnswerPastTheLateAnswerOfTheFirst) {
  next_answers({kTimeout + Millis{50}});
  read_error(1, holding(10, 4));

  EXPECT_EQ(*read(2, holding(10, 4)), values(2, holding(10, 4)));

  EXPECT_EQ(bus_->counters().guards, 0);
}

TEST_F(ModbusBusTest, TakesAGuardThatIsRefusedForPassed) {
  link_->meter = [](int unit, const Bytes& pdu) {
    return pdu[4] == 4 ? FakeLink::answer(unit, pdu) : FakeLink::exception(pdu, 2);
  };
  next_answers({std::nullopt});
  read_error(1, holding(10, 4));

  EXPECT_EQ(*read(1, holding(20, 4)), values(1, holding(20, 4)));
}

TEST_F(ModbusBusTest, AttributesAnExceptionAgainSoonAfterALostAnswer) {
  link_->meter = [](int, const Bytes& pdu) { return FakeLink::exception(pdu, 2); };
  next_answers({std::nullopt});
  read_error(1, holding(10, 4));

  EXPECT_EQ(read_error(1, holding(10, 4)), Errc::kGarbled);
  EXPECT_EQ(read_error(1, holding(10, 4)), Errc::kException);
  EXPECT_EQ(read_error(1, holding(10, 4)), Errc::kException);
}

TEST_F(ModbusBusTest, NeverGivesALateExceptionToAnotherBlockOfTheSameFunction) {
  link_->meter = [](int unit, const Bytes& pdu) {
    return pdu[2] == 10 ? FakeLink::exception(pdu, 2) : FakeLink::answer(unit, pdu);
  };
  next_answers({kTimeout + Millis{50}});
  read_error(1, holding(10, 4));

  EXPECT_EQ(*read(1, holding(20, 6)), values(1, holding(20, 6)));
}

TEST_F(ModbusBusTest, KeepsWhatIsOpenBehindASerialServerAcrossConnections) {
  next_answers({std::nullopt});
  read_error(1, holding(10, 4));
  link_->server_closed = true;

  EXPECT_TRUE(read(1, holding(10, 4)));

  EXPECT_EQ(link_->opens, 2);
  EXPECT_EQ(bus_->counters().guards, 1);
}

TEST_F(ModbusBusTest, EndsAModbusTcpConnectionWithAnUnansweredRequestAndNeedsNoGuard) {
  use(TcpSettings{});
  link_->forgets_on_close = true;
  next_answers({kTimeout + Millis{50}});

  EXPECT_EQ(read_error(1, holding(10, 4)), Errc::kTimeout);
  EXPECT_TRUE(bus_->is_open());
  EXPECT_EQ(*read(1, holding(20, 4)), values(1, holding(20, 4)));

  EXPECT_EQ(link_->opens, 2);
  EXPECT_EQ(bus_->counters().guards, 0);
}

TEST_F(ModbusBusTest, KeepsTheConnectionAfterAnException) {
  use(TcpSettings{});
  link_->meter = [](int, const Bytes& pdu) { return FakeLink::exception(pdu, 11); };

  EXPECT_EQ(read(1, holding(10, 4)).error().exception, 11);
  read_error(1, holding(10, 4));

  EXPECT_EQ(link_->opens, 1);
}

TEST_F(ModbusBusTest, IsDownAfterThePortIsGoneUntilOpened) {
  link_->unplugged = true;
  EXPECT_EQ(read_error(1, holding(10, 4)), Errc::kBusDown);
  EXPECT_FALSE(bus_->is_open());

  link_->unplugged = false;
  EXPECT_EQ(read_error(1, holding(10, 4)), Errc::kBusDown);
  EXPECT_TRUE(bus_->open());
  EXPECT_TRUE(read(1, holding(10, 4)));
}

TEST_F(ModbusBusTest, ClosesAnIdleConnectionAndConnectsForTheNextRequest) {
  TcpSettings socket;
  socket.idle_close = Millis{60'000};
  use(socket);
  EXPECT_TRUE(read(1, holding(10, 4)));
  const MonoTime used = clock_.mono();

  EXPECT_EQ(bus_->idle(), used + Millis{60'000});
  clock_.advance(Millis{60'000});
  EXPECT_EQ(bus_->idle(), MonoTime::max());
  EXPECT_FALSE(link_->is_open());

  EXPECT_TRUE(bus_->is_open());
  EXPECT_TRUE(read(1, holding(10, 4)));
  EXPECT_EQ(link_->opens, 2);
}

TEST_F(ModbusBusTest, WritesOnceAndSaysWhetherTheWriteLeft) {
  const Write relay{Write::Form::kRegister, 7, {1}};

  const WriteOutcome done = bus_->write(unit_target(1), relay);
  EXPECT_TRUE(done.status);

  next_answers({std::nullopt});
  const WriteOutcome silent = bus_->write(unit_target(1), relay);
  EXPECT_EQ(code(silent.status), Errc::kTimeout);
  EXPECT_TRUE(silent.sent);

  link_->unplugged = true;
  EXPECT_FALSE(bus_->write(unit_target(1), relay).sent);
  EXPECT_THAT(link_->asked, SizeIs(2));
}

TEST_F(ModbusBusTest, TakesNoLateEchoForTheNextWritesOwn) {
  const Write relay{Write::Form::kCoil, 7, {1}};
  next_answers({kTimeout + Millis{50}, Millis{5}, std::nullopt});
  EXPECT_FALSE(bus_->write(unit_target(1), relay).status);

  const WriteOutcome again = bus_->write(unit_target(1), relay);

  EXPECT_EQ(code(again.status), Errc::kTimeout);
  EXPECT_TRUE(again.sent);
}

TEST_F(ModbusBusTest, NeverWritesToTheBroadcastAddress) {
  for (const bool rtu : {true, false}) {
    TcpSettings socket;
    socket.rtu = rtu;
    use(socket);
    const WriteOutcome outcome = bus_->write(unit_target(0), {Write::Form::kRegister, 7, {1}});
    EXPECT_EQ(code(outcome.status), Errc::kInvalid);
    EXPECT_FALSE(outcome.sent);
    EXPECT_THAT(link_->asked, SizeIs(0));
  }
}

TEST_F(ModbusBusTest, AsksTheUnitsThatTheProtocolHas) {
  EXPECT_TRUE(read(1, holding(10, 1)));
  EXPECT_TRUE(read(247, holding(10, 1)));
  for (const int unit : {0, 248}) EXPECT_EQ(read_error(unit, holding(10, 1)), Errc::kInvalid) << unit;

  use(TcpSettings{});
  EXPECT_TRUE(read(0, holding(10, 1)));
  EXPECT_TRUE(read(255, holding(10, 1)));
  EXPECT_EQ(read_error(256, holding(10, 1)), Errc::kInvalid);
}

/// An echo is a register's write and nothing else's: whatever was left open may answer in its place.
TEST_F(ModbusBusTest, AsksAGuardBeforeAWriteOfEveryFunctionWhereAnyRequestIsOpen) {
  for (const auto form : {Write::Form::kCoil, Write::Form::kCoils, Write::Form::kRegister, Write::Form::kRegisters}) {
    use(rtu_over_tcp());
    next_answers({std::nullopt});
    read_error(1, holding(10, 4));

    EXPECT_TRUE(bus_->write(unit_target(1), {form, 7, {1}}).status) << static_cast<int>(form);

    EXPECT_EQ(bus_->counters().guards, 1) << static_cast<int>(form);
  }
}

TEST_F(ModbusBusTest, LearnsNoResponseTimeFromAWriteOfAnyFunction) {
  for (const auto form : {Write::Form::kCoil, Write::Form::kCoils, Write::Form::kRegister, Write::Form::kRegisters}) {
    EXPECT_TRUE(bus_->write(unit_target(1), {form, 7, {1}}).status);
    EXPECT_EQ(bus_->turnaround(unit_target(1)), std::nullopt) << static_cast<int>(form);
  }
}

TEST_F(ModbusBusTest, AsksNoMeterForMoreThanItGivesNotEvenInAGuard) {
  Target narrow = unit_target(1);
  narrow.max_registers = 2;
  EXPECT_EQ(bus_->read(narrow, holding(10, 3)).error().code, Errc::kInvalid);

  next_answers(std::vector<std::optional<Millis>>(8, std::nullopt));
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(bus_->read(narrow, holding(10, 1)));

  for (const FakeLink::Asked& asked : link_->asked) {
    const bool registers = asked.pdu[0] >= 3;
    EXPECT_TRUE(!registers || asked.pdu[4] <= 2) << asked.pdu[4];
  }
}

TEST_F(ModbusBusTest, WaitsTheLongerOfTheBussAndTheMetersGap) {
  Target slow = unit_target(1);
  slow.gap = Millis{30};
  EXPECT_TRUE(bus_->read(slow, holding(10, 1)));
  EXPECT_TRUE(read(1, holding(10, 1)));

  EXPECT_THAT(link_->gaps, ::testing::ElementsAre(Millis{30}, Millis{0}));
}

TEST_F(ModbusBusTest, CountsEveryRequestByItsEnd) {
  link_->meter = [](int unit, const Bytes& pdu) {
    return unit == 3 ? FakeLink::exception(pdu, 2) : FakeLink::answer(unit, pdu);
  };
  next_answers({Millis{5}, std::nullopt});
  EXPECT_TRUE(read(1, holding(10, 4)));
  read_error(2, holding(10, 4));
  read_error(3, holding(10, 4));

  const BusCounters counters = bus_->counters();
  EXPECT_EQ(counters.requests, 3);
  EXPECT_EQ(counters.answers, 1);
  EXPECT_EQ(counters.timeouts, 1);
  EXPECT_EQ(counters.exceptions, 1);
  EXPECT_EQ(counters.opened, 1);
  EXPECT_NEAR(static_cast<double>(counters.busy_us), 210'000, 1);
}

class LearnedDeadlineTest : public ModbusBusTest {
 protected:
  LearnedDeadlineTest() {
    target_.asked_again = true;
    target_.timeout = Millis{1000};
    for (int i = 0; i < ResponseTimes::kEnough; ++i) EXPECT_TRUE(bus_->read(target_, holding(10, 4)));
  }
  /// How long a request that is not answered is waited for.
  Nanos wait(const Target& target) {
    next_answers({std::nullopt});
    const MonoTime asked = clock_.mono();
    EXPECT_FALSE(bus_->read(target, holding(10, 4)));
    return clock_.mono() - asked;
  }
  Target target_ = unit_target(1);
};

TEST_F(LearnedDeadlineTest, WaitsForAMeterThatAlwaysAnsweredAtOnceNotAsLongAsTheTimeout) {
  EXPECT_EQ(bus_->turnaround(target_)->usual, Millis{5});
  EXPECT_EQ(bus_->turnaround(target_)->deadline, Millis{200});

  EXPECT_EQ(wait(target_), Millis{200});
}

TEST_F(LearnedDeadlineTest, WaitsTheWholeTimeoutForTheLastTry) {
  Target last = target_;
  last.asked_again = false;

  EXPECT_EQ(wait(last), Millis{1000});
}

TEST_F(LearnedDeadlineTest, WaitsTheWholeTimeoutForAWrite) {
  next_answers({std::nullopt});
  const MonoTime asked = clock_.mono();

  EXPECT_FALSE(bus_->write(target_, {Write::Form::kRegister, 7, {1}}).status);

  EXPECT_EQ(clock_.mono() - asked, Millis{1000});
}

TEST_F(LearnedDeadlineTest, WaitsTheWholeTimeoutAfterAnUnansweredRequest) {
  wait(target_);

  EXPECT_EQ(wait(target_), Millis{1000});
}

TEST_F(LearnedDeadlineTest, LearnsFromAnAnswerThatCameTooLate) {
  next_answers({Millis{450}});
  EXPECT_FALSE(bus_->read(target_, holding(10, 4)));
  EXPECT_TRUE(bus_->read(target_, holding(10, 4)));

  EXPECT_EQ(bus_->turnaround(target_)->slowest, Millis{450});
  for (int i = 0; i < ResponseTimes::kEnough; ++i) EXPECT_TRUE(bus_->read(target_, holding(10, 4)));
  EXPECT_EQ(wait(target_), Millis{900});
}

TEST_F(LearnedDeadlineTest, KnowsNothingOfAnotherMeter) { EXPECT_EQ(bus_->turnaround(unit_target(2)), std::nullopt); }

/// A bad day: one in six answers late by 1.1 to 3.5 timeouts, one in ten lost, several meters in turn, some of which
/// refuse odd counts or the other table, or do not even answer to it. Then a good one.
class BadDay {
 public:
  explicit BadDay(unsigned seed) : random_(seed) {}

  std::optional<Nanos> delay() {
    if (over) return Millis{5};
    const int fate = pick(0, 59);
    if (fate < 6) return std::nullopt;
    return fate < 16 ? kTimeout * pick(11, 35) / 10 : Millis{5};
  }
  Bytes meter(int unit, const Bytes& pdu) {
    if (unit == 2 && pdu[4] % 2 != 0) return FakeLink::exception(pdu, 2);
    if (unit == 3 && pdu[0] != 3) return FakeLink::exception(pdu, 1);
    if (pdu[0] == 3 && refuses(unit, holding(pdu[1] << 8 | pdu[2], pdu[4]))) return FakeLink::exception(pdu, 2);
    if (unit == 4 && pdu[0] != 3) return {};
    return FakeLink::answer(unit, pdu);
  }
  Block block(int unit) {
    const std::vector<int> counts = unit == 2 ? std::vector<int>{2, 4, 124} : std::vector<int>{1, 2, 10, 125};
    const int count = counts[static_cast<std::size_t>(pick(0, static_cast<int>(counts.size()) - 1))];
    return holding(pick(0, 1) == 0 ? pick(0, 60000) : 65536 - count, count);
  }
  int unit() { return pick(1, 4); }
  static bool refuses(int unit, const Block& block) { return unit == 1 && block.address < 20000; }
  bool over = false;

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  std::mt19937 random_;
};

TEST_F(ModbusBusTest, GivesNoWrongValueOnAnyBadDayAndIsHealthyWithinFivePollsAfterIt) {
  constexpr unsigned kDays = 300;
  constexpr int kPolls = 60;
  for (unsigned seed = 0; seed < kDays; ++seed) {
    BadDay day(seed);
    use(rtu_over_tcp());
    link_->delay = [&](const FakeLink::Asked&) { return day.delay(); };
    link_->meter = [&](int unit, const Bytes& pdu) { return day.meter(unit, pdu); };
    for (int i = 0; i < kPolls; ++i) {
      const int unit = day.unit();
      const Block block = day.block(unit);
      const Result<Words> words = read(unit, block);
      if (words) {
        ASSERT_EQ(*words, values(unit, block)) << "seed " << seed << ", poll " << i;
      } else if (words.error().code == Errc::kException) {
        ASSERT_TRUE(BadDay::refuses(unit, block)) << "seed " << seed << ", poll " << i;
      }
    }
    day.over = true;
    for (int unit = 1; unit <= 4; ++unit) {
      const Block block = day.block(unit);
      int failed = 0;
      while (failed < 5 && !answered(read(unit, block))) ++failed;
      EXPECT_LT(failed, 5) << "seed " << seed << ", unit " << unit;
    }
  }
}

/// The same days as a master has them that only flushes and compares unit, function and length.
TEST_F(ModbusBusTest, WouldGiveWrongValuesOnThoseDaysWithoutItsGuards) {
  constexpr unsigned kDays = 20;
  constexpr int kPolls = 60;
  int wrong = 0;
  for (unsigned seed = 0; seed < kDays; ++seed) {
    BadDay day(seed);
    FakeLink link(clock_);
    link.delay = [&](const FakeLink::Asked&) { return day.delay(); };
    EXPECT_TRUE(link.open());
    for (int i = 0; i < kPolls; ++i) {
      const Block block = holding(100 * i, 4);
      const Request request = *to_request(block);
      Bytes strays;
      EXPECT_TRUE(link.settle(Nanos{0}, &strays));
      EXPECT_TRUE(link.send(1, request.pdu).status);
      const Result<ModbusLink::Frame> answer = link.receive(1, request.shape, clock_.mono() + kTimeout);
      if (!answer || fit(request, answer->pdu.data(), answer->pdu.size()) != Fit::kAnswer) continue;
      if (words_of(block, answer->pdu.data()) != values(1, block)) ++wrong;
    }
  }
  EXPECT_GT(wrong, 0);
}

}  // namespace
}  // namespace metergate
