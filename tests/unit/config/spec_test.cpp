#include "agent/config/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metergate {
namespace {

using std::chrono::hours;
using testing::ElementsAre;

const char* const kSerial = "name=a,device=/dev/ttyS1,baud=9600,mode=8E1";
const char* const kMeter = "id=m,bus=a,unit=1,profile=p";

/// `SPEC` read by `parse`; a fault of either kind as its text.
template <class T>
T good(Result<T> (*parse)(const SpecFields&, const Place&), const std::string& spec) {
  const auto fields = split_spec(spec);
  EXPECT_TRUE(fields) << spec;
  auto result = parse(*fields, "--here");
  EXPECT_TRUE(result) << spec << ": " << (result ? "" : result.error().detail);
  return result ? *result : T{};
}

template <class T>
std::string fault(Result<T> (*parse)(const SpecFields&, const Place&), const std::string& spec) {
  const auto fields = split_spec(spec);
  if (!fields) return fields.error().detail;
  const auto result = parse(*fields, "--here");
  return result ? "" : result.error().detail;
}

BusSpec bus(const std::string& spec) { return good(parse_bus, spec); }
MeterAndPoll meter(const std::string& more = "") { return good(parse_meter, kMeter + more); }
SerialSettings serial(const std::string& more = "") {
  return std::get<SerialSettings>(bus(kSerial + more).settings.port);
}
TcpSettings tcp(const std::string& spec) { return std::get<TcpSettings>(bus(spec).settings.port); }

struct Case {
  const char* spec;
  const char* fault;
};

TEST(SpecTest, SplitsKeysAndValuesAtTheFirstEqualsSign) {
  const auto fields = split_spec(" a = b=c , d=e ");
  ASSERT_TRUE(fields);
  ASSERT_EQ(fields->size(), 2u);
  EXPECT_EQ((*fields)[0].key, "a");
  EXPECT_EQ((*fields)[0].value, "b=c");
  EXPECT_EQ((*fields)[1].value, "e");
}

TEST(SpecTest, TakesCommasAndQuotesInQuotes) {
  const auto fields = split_spec(R"(label="Hall 3, ""north""" , id=m)");
  ASSERT_TRUE(fields);
  EXPECT_EQ((*fields)[0].value, R"(Hall 3, "north")");
  EXPECT_EQ((*fields)[1].value, "m");
}

TEST(SpecTest, LooksAtNothingBehindItsEnd) {
  const std::string_view text = R"(a="b"")";
  const auto fields = split_spec(text.substr(0, text.size() - 1));
  ASSERT_TRUE(fields);
  EXPECT_EQ((*fields)[0].value, "b");
}

TEST(SpecTest, RefusesWhatIsNoListOfKeysAndValues) {
  for (const Case& c : {Case{"", "'' is not key=value; a SPEC is key=value,key=value"},
                        {"rs485-1", "'rs485-1' is not key=value; a SPEC is key=value,key=value"},
                        {"a=b,", "'' is not key=value; a SPEC is key=value,key=value"},
                        {"a=b,,c=d", "'' is not key=value; a SPEC is key=value,key=value"},
                        {"a=\"b,c", "the quote in '\"b,c' is not closed"},
                        {"a=\"b\"c", "'c' stands behind the closing quote, where a comma would be right"}}) {
    EXPECT_EQ(fault(parse_bus, c.spec), c.fault) << c.spec;
  }
}

TEST(BusSpecTest, ReadsASerialLineWithItsDefaults) {
  const BusSpec spec = bus(kSerial);
  EXPECT_EQ(spec.name, "a");
  EXPECT_EQ(spec.place, "--here");
  EXPECT_EQ(spec.retries, 1);
  EXPECT_EQ(spec.settings.timeout, Millis{1000});
  EXPECT_EQ(spec.settings.gap, Millis{0});
  EXPECT_EQ(serial().device, "/dev/ttyS1");
  EXPECT_EQ(serial().baud, 9600);
  EXPECT_EQ(serial().parity, 'E');
  EXPECT_EQ(serial().stop_bits, 1);
  EXPECT_EQ(serial().direction, Direction::kNone);
}

TEST(BusSpecTest, ReadsEveryKeyOfASerialLine) {
  const BusSpec spec =
      bus("name=a,device=x,baud=115200,mode=8N2,rs485=rts-down,rts-delay=1ms/250ms,timeout=300ms,retries=0,gap=5ms");
  const auto& line = std::get<SerialSettings>(spec.settings.port);
  EXPECT_EQ(line.baud, 115200);
  EXPECT_EQ(line.parity, 'N');
  EXPECT_EQ(line.stop_bits, 2);
  EXPECT_EQ(line.direction, Direction::kRtsDown);
  EXPECT_EQ(line.rts_before, Millis{1});
  EXPECT_EQ(line.rts_after, Millis{250});
  EXPECT_EQ(spec.settings.timeout, Millis{300});
  EXPECT_EQ(spec.retries, 0);
  EXPECT_EQ(spec.settings.gap, Millis{5});
  EXPECT_EQ(serial(",rs485=kernel").direction, Direction::kKernel);
  EXPECT_EQ(serial(",rs485=rts-up").direction, Direction::kRtsUp);
  EXPECT_EQ(serial(",rs485=none").direction, Direction::kNone);
}

TEST(BusSpecTest, ReadsTcpEndpoints) {
  EXPECT_EQ(tcp("name=a,tcp=10.0.0.7:502").host, "10.0.0.7");
  EXPECT_EQ(tcp("name=a,tcp=10.0.0.7:502").port, 502);
  EXPECT_EQ(tcp("name=a,tcp=[2001:db8::7]:1502").host, "2001:db8::7");
  EXPECT_EQ(tcp("name=a,tcp=plc.local:1502").host, "plc.local");
  EXPECT_FALSE(tcp("name=a,tcp=plc.local:1502").rtu);
  EXPECT_TRUE(tcp("name=a,rtu-over-tcp=h:4001").rtu);
  EXPECT_EQ(tcp("name=a,tcp=h:1").connect_timeout, Millis{5000});
  EXPECT_EQ(tcp("name=a,tcp=h:1").idle_close, std::nullopt);
  EXPECT_EQ(tcp("name=a,tcp=h:1,connect-timeout=2s,idle-close=30s").connect_timeout, Millis{2000});
  EXPECT_EQ(tcp("name=a,tcp=h:1,connect-timeout=2s,idle-close=30s").idle_close, Millis{30000});
  EXPECT_EQ(tcp("name=a,tcp=h:1").connect_delay, Millis{0});
  EXPECT_EQ(tcp("name=a,tcp=h:1,connect-delay=1500ms").connect_delay, Millis{1500});
  EXPECT_EQ(tcp("name=a,tcp=h:1").lenient, Lenient::kNone);
  EXPECT_EQ(tcp("name=a,tcp=h:1,lenient=none").lenient, Lenient::kNone);
  EXPECT_EQ(tcp("name=a,tcp=h:1,lenient=transaction").lenient, Lenient::kTransaction);
  EXPECT_EQ(tcp("name=a,tcp=h:1,lenient=unit").lenient, Lenient::kUnit);
  EXPECT_EQ(tcp("name=a,tcp=h:1,lenient=both").lenient, Lenient::kBoth);
  EXPECT_EQ(bus("name=a,tcp=h:1").settings.timeout, Millis{3000});
  EXPECT_EQ(bus("name=a,tcp=h:1,timeout=1s").settings.timeout, Millis{1000});
}

TEST(BusSpecTest, RefusesWithTheOffendingTextAndWhatWouldBeRight) {
  for (const Case& c : {
           Case{"device=x,baud=9600,mode=8E1", "name= is missing; such as name=rs485-1"},
           {"name=a b,device=x,baud=9600,mode=8E1", "name: 'a b' is not 1 to 64 letters, digits, '_', '-' or '.'"},
           {"name=a,device=x,mode=8E1", "baud= is missing; such as baud=9600"},
           {"name=a,device=x,baud=9600", "mode= is missing; such as mode=8E1"},
           {"name=a,device=x,baud=9601,mode=8E1",
            "baud: '9601' is not one of 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, "
            "460800, 500000, 576000, 921600 (did you mean '9600'?)"},
           {"name=a,device=x,baud=9600,mode=8e1", "mode: '8e1' is not one of 8N1, 8N2, 8E1, 8O1 (did you mean '8E1'?)"},
           {"name=a,device=x,bard=9600,mode=8E1", "unknown key 'bard' (did you mean 'baud'?)"},
           {"name=a,device=x,baud=9600,baud=9600,mode=8E1", "baud is given twice"},
           {"name=a,device=,baud=9600,mode=8E1", "device has no value"},
           {"name=a",
            "a bus has exactly one of device=, tcp= and rtu-over-tcp=; such as device=/dev/ttyS1,baud=9600,mode=8E1"},
           {"name=a,device=x,tcp=h:1",
            "a bus has exactly one of device=, tcp= and rtu-over-tcp=; such as device=/dev/ttyS1,baud=9600,mode=8E1"},
           {"name=a,tcp=h:1,baud=9600", "baud has no meaning with tcp="},
           {"name=a,rtu-over-tcp=h:1,mode=8E1", "mode has no meaning with rtu-over-tcp="},
           {"name=a,device=x,baud=9600,mode=8E1,idle-close=5s", "idle-close has no meaning on a serial line"},
           {"name=a,device=x,baud=9600,mode=8E1,connect-delay=1s", "connect-delay has no meaning on a serial line"},
           {"name=a,tcp=h:1,connect-delay=11s", "connect-delay: '11s' is not from 0s to 10s"},
           {"name=a,tcp=h:1,lenient=yes", "lenient: 'yes' is not one of none, transaction, unit, both"},
           {"name=a,rtu-over-tcp=h:1,lenient=both",
            "lenient has no meaning with rtu-over-tcp=: its frames carry no transaction number"},
           {"name=a,device=x,baud=9600,mode=8E1,rs485=rts",
            "rs485: 'rts' is not one of none, kernel, rts-up, rts-down (did you mean 'rts-up'?)"},
           {"name=a,device=x,baud=9600,mode=8E1,rs485=kernel,rts-delay=1ms",
            "rts-delay: '1ms' is not two durations up to 1s, before and after sending, such as 1ms/1ms"},
           {"name=a,device=x,baud=9600,mode=8E1,rts-delay=1ms/1ms",
            "rts-delay needs rs485=kernel, rs485=rts-up or rs485=rts-down"},
           {"name=a,tcp=h", "tcp: 'h' has no port; such as 10.0.0.7:502"},
           {"name=a,rtu-over-tcp=h", "rtu-over-tcp: 'h' has no port; such as 10.0.0.9:4001"},
           {"name=a,tcp=h:1,timeout=1", "timeout: '1' is not a duration, written like 250ms, 10s, 5m, 1h or 30d"},
           {"name=a,tcp=h:1,timeout=2m", "timeout: '2m' is not from 10ms to 1m"},
           {"name=a,tcp=h:1,retries=-1", "retries: '-1' is not a whole number from 0 to 10"},
       }) {
    EXPECT_EQ(fault(parse_bus, c.spec), c.fault) << c.spec;
  }
}

TEST(MeterSpecTest, ReadsAMeterOnCommandOnlyWhenItHasNoEvery) {
  const MeterAndPoll parsed = meter();
  EXPECT_EQ(parsed.meter.id, "m");
  EXPECT_EQ(parsed.meter.bus, "a");
  EXPECT_EQ(parsed.meter.unit, 1);
  EXPECT_EQ(parsed.meter.profile, "p");
  EXPECT_FALSE(parsed.meter.writable);
  EXPECT_EQ(parsed.meter.timeout, std::nullopt);
  EXPECT_EQ(parsed.meter.retries, std::nullopt);
  EXPECT_EQ(parsed.meter.max_registers, std::nullopt);
  EXPECT_FALSE(parsed.poll);
}

TEST(MeterSpecTest, ReadsEveryKey) {
  const MeterAndPoll parsed = meter(
      ",every=10s,points=active_*+frequency,label=Main meter,serial=A-17,ct=200/5,pt=10000/100,writable=yes,timeout=2s,"
      "retries=3,gap=50ms,max-registers=60,baud=2400,mode=8O1");
  EXPECT_EQ(parsed.meter.baud, 2400);
  EXPECT_EQ(parsed.meter.mode, "8O1");
  EXPECT_THAT(parsed.meter.points, ElementsAre("active_*", "frequency"));
  EXPECT_EQ(parsed.meter.label, "Main meter");
  EXPECT_EQ(parsed.meter.serial, "A-17");
  EXPECT_EQ(parsed.meter.ct, "200/5");
  EXPECT_EQ(parsed.meter.pt, "10000/100");
  EXPECT_TRUE(parsed.meter.writable);
  EXPECT_EQ(parsed.meter.timeout, Millis{2000});
  EXPECT_EQ(parsed.meter.retries, 3);
  EXPECT_EQ(parsed.meter.gap, Millis{50});
  EXPECT_EQ(parsed.meter.max_registers, 60);
  ASSERT_TRUE(parsed.poll);
  EXPECT_EQ(parsed.poll->meter, "m");
  EXPECT_EQ(parsed.poll->name, "main");
  EXPECT_EQ(parsed.poll->every, Millis{10'000});
  EXPECT_THAT(parsed.poll->points, ElementsAre("active_*", "frequency"));
  EXPECT_FALSE(meter(",writable=no").meter.writable);
}

TEST(MeterSpecTest, KeepsPollsOfAMinuteAndMoreLonger) {
  EXPECT_FALSE(meter(",every=0s").poll->keep_high) << "back to back";
  EXPECT_FALSE(meter(",every=59s").poll->keep_high);
  EXPECT_TRUE(meter(",every=1m").poll->keep_high);
}

TEST(MeterSpecTest, RefusesWithTheOffendingTextAndWhatWouldBeRight) {
  for (const Case& c : {
           Case{"bus=a,unit=1,profile=p", "id= is missing; such as id=main"},
           {"id=m,unit=1,profile=p", "bus= is missing; such as bus=rs485-1"},
           {"id=m,bus=a,profile=p", "unit= is missing; such as unit=1"},
           {"id=m,bus=a,unit=1", "profile= is missing; such as profile=sdm630"},
           {"id=m,bus=a,unit=300,profile=p",
            "unit: '300' is not a unit: 1 to 247 on a serial line, 0 to 255 with tcp="},
           {"id=m,bus=a,unit=x,profile=p", "unit: 'x' is not a unit: 1 to 247 on a serial line, 0 to 255 with tcp="},
           {"id=m,bus=a,unit=1,profile=p,evry=1s", "unknown key 'evry' (did you mean 'every'?)"},
           {"id=m,bus=a,unit=1,profile=p,every=10",
            "every: '10' is not a duration, written like 250ms, 10s, 5m, 1h or 30d"},
           {"id=m,bus=a,unit=1,profile=p,every=1ms", "every: '1ms' is below 10ms; every=0s reads back to back"},
           {"id=m,bus=a,unit=1,profile=p,writable=true", "writable: 'true' is not one of no, yes"},
           {"id=m,bus=a,unit=1,profile=p,max-registers=126",
            "max-registers: '126' is not a whole number from 1 to 125"},
           {"id=m,bus=a,unit=1,profile=p,points=a++b",
            "points: '' is not a point's name or a pattern of one; such as active_energy_*+frequency"},
           {"id=m,bus=a,unit=1,profile=p,points=Power",
            "points: 'Power' is not a point's name or a pattern of one; such as active_energy_*+frequency"},
           {"id=m,bus=a,unit=1,profile=p,label=\xFF", "label is not up to 200 bytes of UTF-8 text in one line"},
       }) {
    EXPECT_EQ(fault(parse_meter, c.spec), c.fault) << c.spec;
  }
}

TEST(PollSpecTest, ReadsAFurtherPollNamedByItsInterval) {
  const PollSpec poll = good(parse_poll, "meter=m,every=900s,points=active_energy_*");
  EXPECT_EQ(poll.meter, "m");
  EXPECT_EQ(poll.name, "15m");
  EXPECT_EQ(poll.every, Millis{900'000});
  EXPECT_THAT(poll.points, ElementsAre("active_energy_*"));
  EXPECT_TRUE(poll.keep_high);
}

TEST(PollSpecTest, ReadsNameAndKeep) {
  const PollSpec poll = good(parse_poll, "meter=m,every=15m,points=a,name=billing,keep=low");
  EXPECT_EQ(poll.name, "billing");
  EXPECT_FALSE(poll.keep_high);
  EXPECT_TRUE(good(parse_poll, "meter=m,every=1s,keep=high").keep_high);
}

TEST(PollSpecTest, RefusesWithTheOffendingTextAndWhatWouldBeRight) {
  for (const Case& c : {Case{"every=1s", "meter= is missing; such as meter=main"},
                        {"meter=m", "every= is missing; such as every=15m"},
                        {"meter=m,every=1s,keep=medium", "keep: 'medium' is not one of low, high"},
                        {"meter=m,every=1s,name=a/b", "name: 'a/b' is not 1 to 64 letters, digits, '_', '-' or '.'"},
                        {"meter=m,every=1s,label=x", "unknown key 'label'"}}) {
    EXPECT_EQ(fault(parse_poll, c.spec), c.fault) << c.spec;
  }
}

}  // namespace
}  // namespace metergate
