#include "agent/config/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <set>

#include "agent/config/option_parsers.h"

namespace metergate {
namespace {

using Subcommand = Invocation::Subcommand;
using Words = std::vector<std::string>;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kBus = "name=a,device=/dev/ttyS1,baud=9600,mode=8E1";
const std::string kMeter = "id=m,bus=a,unit=1,profile=p,every=10s";

class OptionsTest : public testing::Test {
 protected:
  ~OptionsTest() override {
    for (const std::string& path : files_) std::remove(path.c_str());
  }

  std::string file(const std::string& name, const std::string& content) {
    const std::string path = testing::TempDir() + "options_test." + std::to_string(getpid()) + "." + name;
    std::ofstream(path, std::ios::binary) << content;
    files_.insert(path);
    return path;
  }

  std::variant<Invocation, UsageError> parse(Words words) { return parse_command_line(words, environment_); }
  Invocation good(const Words& words) {
    auto parsed = parse(words);
    if (auto* error = std::get_if<UsageError>(&parsed)) {
      ADD_FAILURE() << error->message;
      return {};
    }
    return std::get<Invocation>(std::move(parsed));
  }
  /// `run` with what it needs, and `more`.
  Options run(Words more = {}) {
    more.insert(more.begin(), {"run", "--gateway-id", "g", "--upstream", "mqtt://h"});
    return good(more).options;
  }
  UsageError bad(const Words& words) {
    auto parsed = parse(words);
    if (auto* error = std::get_if<UsageError>(&parsed)) return *error;
    ADD_FAILURE() << "accepted";
    return {};
  }
  std::string fault(Words more, int status = 64) {
    more.insert(more.begin(), {"run", "--gateway-id", "g", "--upstream", "mqtt://h"});
    const UsageError error = bad(more);
    EXPECT_EQ(error.status, status) << error.message;
    return error.message;
  }

  std::map<std::string, std::string> environment_;
  std::set<std::string> files_;
};

TEST_F(OptionsTest, HasTheDefaultsOfTheHelp) {
  const Options options = run();
  EXPECT_EQ(options.gateway, "g");
  EXPECT_EQ(options.store.gateway, "g");
  ASSERT_EQ(options.uplink.brokers.size(), 1u);
  EXPECT_EQ(options.uplink.brokers[0].text(), "h:1883");
  EXPECT_EQ(options.uplink.topic_prefix, "metergate");
  EXPECT_EQ(options.uplink.client_id, "metergate-g");
  EXPECT_EQ(options.uplink.keep_alive, Millis{20'000});
  EXPECT_EQ(options.uplink.backoff_min, Millis{500});
  EXPECT_EQ(options.uplink.backoff_max, Millis{30'000});
  EXPECT_EQ(options.uplink.max_inflight, 16);
  EXPECT_EQ(options.uplink.batch, 50);
  EXPECT_FALSE(options.uplink.receipts);
  EXPECT_EQ(options.uplink.receipt_timeout, Millis{60'000});
  EXPECT_EQ(options.store.path, "/var/lib/metergate/metergate.db");
  EXPECT_EQ(options.store.max_bytes, 256ll << 20);
  EXPECT_EQ(options.store.keep_sent, std::chrono::hours(30 * 24));
  EXPECT_EQ(options.store.commit_every, Millis{1000});
  EXPECT_EQ(options.control, "/run/metergate/control");
  EXPECT_FALSE(options.trust_clock);
  EXPECT_EQ(options.log_level, LogLevel::kInfo);
  EXPECT_EQ(options.log_format, LogFormat::kText);
}

TEST_F(OptionsTest, ReadsEveryOption) {
  const Options o = good({"run",
                          "--gateway-id",
                          "g",
                          "--upstream",
                          "mqtts://h2:9",
                          "--topic-prefix",
                          "plant/x",
                          "--client-id",
                          "c",
                          "--username",
                          "u",
                          "--password-file",
                          "pw",
                          "--ca-file",
                          "ca",
                          "--cert-file",
                          "cert",
                          "--key-file",
                          "key",
                          "--keep-alive",
                          "30s",
                          "--backoff-min=2s",
                          "--backoff-max=2m",
                          "--max-inflight",
                          "4",
                          "--batch",
                          "7",
                          "--delivery",
                          "receipt",
                          "--receipt-timeout",
                          "5m",
                          "--store",
                          "/s",
                          "--store-max-size",
                          "8MiB",
                          "--keep-sent",
                          "0s",
                          "--commit-every",
                          "10s",
                          "--control",
                          "/c",
                          "--trust-clock",
                          "--log-level",
                          "debug",
                          "--log-format",
                          "json",
                          "--profile-dir",
                          "/p1",
                          "--profile-dir",
                          "/p2"})
                        .options;
  ASSERT_EQ(o.uplink.brokers.size(), 1u);
  EXPECT_EQ(o.uplink.brokers[0].text(), "h2:9");
  EXPECT_TRUE(o.uplink.tls);
  EXPECT_EQ(o.uplink.topic_prefix, "plant/x");
  EXPECT_EQ(o.uplink.client_id, "c");
  EXPECT_EQ(o.uplink.username, "u");
  EXPECT_EQ(o.uplink.password_file, "pw");
  EXPECT_EQ(o.uplink.ca_file, "ca");
  EXPECT_EQ(o.uplink.cert_file, "cert");
  EXPECT_EQ(o.uplink.key_file, "key");
  EXPECT_EQ(o.uplink.keep_alive, Millis{30'000});
  EXPECT_EQ(o.uplink.backoff_min, Millis{2000});
  EXPECT_EQ(o.uplink.backoff_max, Millis{120'000});
  EXPECT_EQ(o.uplink.max_inflight, 4);
  EXPECT_EQ(o.uplink.batch, 7);
  EXPECT_TRUE(o.uplink.receipts);
  EXPECT_EQ(o.uplink.receipt_timeout, Millis{300'000});
  EXPECT_EQ(o.store.path, "/s");
  EXPECT_EQ(o.store.max_bytes, 8 << 20);
  EXPECT_EQ(o.store.keep_sent, Millis{0});
  EXPECT_EQ(o.store.commit_every, Millis{10'000});
  EXPECT_EQ(o.control, "/c");
  EXPECT_TRUE(o.trust_clock);
  EXPECT_EQ(o.log_level, LogLevel::kDebug);
  EXPECT_EQ(o.log_format, LogFormat::kJson);
  EXPECT_THAT(o.profile_dirs, ElementsAre("/p1", "/p2"));
}

TEST_F(OptionsTest, CollectsBusesMetersAndPollsInTheirOrder) {
  const std::string table = file("t.csv", "id,bus,unit,profile\nt1,a,3,p\nt2,a,4,p\n");
  const Options options = run({"--bus", kBus, "--bus", "name=b,tcp=h:502", "--meter", kMeter, "--meters", table,
                               "--meter", "id=z,bus=b,unit=1,profile=q", "--poll", "meter=m,every=15m"});
  ASSERT_EQ(options.buses.size(), 2u);
  EXPECT_EQ(options.buses[1].name, "b");
  EXPECT_EQ(options.buses[0].place, "--bus '" + kBus + "'");
  std::vector<std::string> ids;
  for (const MeterSpec& meter : options.meters) ids.push_back(meter.id);
  EXPECT_THAT(ids, ElementsAre("m", "t1", "t2", "z"));
  EXPECT_EQ(options.meters[1].place, table + ":2");
  ASSERT_EQ(options.polls.size(), 2u);
  EXPECT_EQ(options.polls[0].name, "main");
  EXPECT_EQ(options.polls[1].name, "15m");
}

TEST_F(OptionsTest, LetsTheLaterSourceWin) {
  const std::string config =
      file("config", "batch = 1\nmax-inflight = 1\nusername = config\nclient-id = config\ntrust-clock = yes\n");
  environment_ = {{"METERGATE_MAX_INFLIGHT", "2"},
                  {"METERGATE_USERNAME", "env"},
                  {"METERGATE_CLIENT_ID", "env"},
                  {"METERGATE_TRUST_CLOCK", "no"}};
  const std::string flags = file("flags", "client-id = file\nusername = file\n");
  const Options after = run({"--username", "line", "@" + flags, "--config", config});
  EXPECT_EQ(after.uplink.batch, 1) << "only the config has it";
  EXPECT_EQ(after.uplink.max_inflight, 2) << "the environment beats the config";
  EXPECT_EQ(after.uplink.client_id, "file") << "@FILE beats the environment";
  EXPECT_EQ(after.uplink.username, "file") << "@FILE stands behind the flag";
  EXPECT_FALSE(after.trust_clock);
  const Options before = run({"@" + flags, "--config", config, "--username", "line", "--username", "last"});
  EXPECT_EQ(before.uplink.username, "last") << "and the last flag wins";
}

TEST_F(OptionsTest, FindsTheConfigInTheEnvironmentUnlessAFlagNamesIt) {
  const std::string one = file("one", "batch = 1\n");
  const std::string two = file("two", "batch = 2\n");
  environment_ = {{"METERGATE_CONFIG", one}};
  EXPECT_EQ(run().uplink.batch, 1);
  EXPECT_EQ(run({"--config", two}).uplink.batch, 2);
}

TEST_F(OptionsTest, AddsUpRepeatableOptionsOfAllSources) {
  const std::string config = file("config", "bus = name=c1,tcp=h:1\nbus = name=c2,tcp=h:2\n");
  environment_ = {{"METERGATE_BUS", "name=e1,tcp=h:3\n\n name=e2,tcp=h:4 \n"}};
  const std::string flags = file("flags", "bus = name=f,tcp=h:5\r\n");
  const Options options = run({"--bus", "name=l,tcp=h:6", "@" + flags, "--config", config});
  std::vector<std::string> seen;
  for (const BusSpec& bus : options.buses) seen.push_back(bus.name + " " + bus.place);
  EXPECT_THAT(seen, ElementsAre("c1 " + config + ":1", "c2 " + config + ":2", "e1 METERGATE_BUS line 1",
                                "e2 METERGATE_BUS line 3", "l --bus 'name=l,tcp=h:6'", "f " + flags + ":1"));
}

TEST_F(OptionsTest, RefusesANameOrIdThatIsThereTwiceWithBothPlaces) {
  const std::string config = file("config", "bus = " + kBus + "\nmeter = " + kMeter + "\n");
  EXPECT_EQ(fault({"--config", config, "--bus", "name=a,tcp=h:1"}),
            "bus 'a' is there twice: " + config + ":1 and --bus 'name=a,tcp=h:1'");
  environment_ = {{"METERGATE_METER", "id=m,bus=a,unit=9,profile=p"}};
  EXPECT_EQ(fault({"--config", config}), "meter 'm' is there twice: " + config + ":2 and METERGATE_METER line 1");
  environment_.clear();
  EXPECT_EQ(fault({"--config", config, "@" + config}, 78),
            "bus 'a' is there twice: " + config + ":1 and " + config + ":1");
  const std::string table = file("t.csv", "id,bus,unit,profile\nm,a,3,p\n");
  EXPECT_EQ(fault({"--meter", kMeter, "--meters", table}, 78),
            "meter 'm' is there twice: --meter '" + kMeter + "' and " + table + ":2");
  EXPECT_EQ(fault({"--meters", table, "--meters", table}, 78),
            "meter 'm' is there twice: " + table + ":2 and " + table + ":2");
  EXPECT_EQ(fault({"--meter", kMeter, "--poll", "meter=m,every=1m,name=main"}),
            "meter 'm': poll 'main' is there twice: --meter '" + kMeter +
                "' and --poll 'meter=m,every=1m,name=main'; name=NAME tells them apart");
  EXPECT_EQ(run({"--poll", "meter=m,every=1m", "--poll", "meter=n,every=1m"}).polls.size(), 2u) << "two meters";
}

struct Case {
  Words words;
  const char* fault;
};

TEST_F(OptionsTest, RefusesFlagsWithWhatWouldBeRight) {
  for (const Case& c : {
           Case{{"--gatewya-id", "x"},
                "unknown option '--gatewya-id' (did you mean '--gateway-id'?); 'metergate run --help' lists them"},
           {{"--log-leve", "debug"},
            "unknown option '--log-leve' (did you mean '--log-level'?); 'metergate run --help' lists them"},
           {{"--xyz=1"}, "unknown option '--xyz'; 'metergate run --help' lists them"},
           {{"--batch", "0"}, "--batch: '0' is not a whole number from 1 to 1000"},
           {{"--batch", "-1"}, "--batch: '-1' is not a whole number from 1 to 1000"},
           {{"--batch", "5s"}, "--batch: '5s' is not a whole number from 1 to 1000"},
           {{"--batch", ""}, "--batch: has no value; such a value is N"},
           {{"--batch="}, "--batch has no value; write --batch N"},
           {{"--batch"}, "--batch has no value; write --batch N"},
           {{"--topic-prefix", "--username", "x"},
            "--topic-prefix has no value: '--username' behind it looks like a flag"},
           {{"--topic-prefix", "--pw"}, "--topic-prefix has no value: '--pw' behind it looks like a flag"},
           {{"-x"}, "unknown option '-x'; 'metergate run --help' lists them"},
           {{"--trust-clock=no"}, "--trust-clock takes no value"},
           {{"--json"}, "--json is an option of 'check', not of 'run'"},
           {{"main"}, "'main' is one word too many; options start with '--', files of options with '@'"},
           {{"--password", "secret"}, "--password: a secret is never a flag's value; use --password-file"},
           {{"--keep-alive", "20"}, "--keep-alive: '20' is not a duration, written like 250ms, 10s, 5m, 1h or 30d"},
           {{"--keep-alive", "1500ms"}, "--keep-alive: '1500ms' is not in whole seconds"},
           {{"--keep-alive", "1d"}, "--keep-alive: '1d' is not from 1s to 65535s"},
           {{"--backoff-min", "2m"}, "--backoff-max is shorter than --backoff-min"},
           {{"--store-max-size", "4MiB"}, "--store-max-size: '4MiB' is not from 8MiB to 1024GiB"},
           {{"--store-max-size", "1GB"}, "--store-max-size: '1GB' is not a size, written like 64KiB, 256MiB or 2GiB"},
           {{"--log-level", "warn"},
            "--log-level: 'warn' is not one of error, warning, info, debug (did you mean 'warning'?)"},
           {{"--log-format", "xml"}, "--log-format: 'xml' is not one of text, json"},
           {{"--gateway-id", "a b"}, "--gateway-id: 'a b' is not 1 to 64 letters, digits, '_' or '-'"},
           {{"--gateway-id", "a.b"}, "--gateway-id: 'a.b' is not 1 to 64 letters, digits, '_' or '-'"},
           {{"--client-id", "a b"}, "--client-id: 'a b' is not 1 to 128 printable ASCII characters without blanks"},
           {{"--topic-prefix", "a/+"}, "--topic-prefix: 'a/+' has a wildcard; '+' and '#' are for subscribers"},
           {{"--topic-prefix", "/a"}, "--topic-prefix: '/a' has an empty level; a '/' stands between two levels only"},
           {{"--topic-prefix", "a//b"},
            "--topic-prefix: 'a//b' has an empty level; a '/' stands between two levels only"},
           {{"--topic-prefix", "$SYS"}, "--topic-prefix: '$SYS' starts with '$', which is the broker's own"},
           {{"--upstream", "tcp://h"},
            "--upstream 'tcp://h': 'tcp://h' is not mqtt://HOST, mqtts://HOST or stdout: (did you mean 'mqtt://'?)"},
           {{"--ca-file", "f"}, "--ca-file needs mqtts://; over mqtt:// nothing is encrypted"},
           {{"--cert-file", "f"}, "--cert-file and --key-file go together; one is missing"},
           {{"--password-file", "f"},
            "--password-file needs --username: MQTT 3.1.1 has no password without a user name"},
           {{"--delivery", "brokr"}, "--delivery: 'brokr' is not one of broker, receipt (did you mean 'broker'?)"},
           {{"--http", "127.0.0.1"}, "--http: '127.0.0.1' has no port; such as 127.0.0.1:9464"},
           {{"--http", "gateway.example:80"},
            "--http: 'gateway.example' is not an address of this machine, such as 127.0.0.1, [::1] or 0.0.0.0"},
           {{"--http", "0.0.0.0:80"},
            "--http: '0.0.0.0' can be reached from other machines, so it needs --http-token-file F; or use --http "
            "127.0.0.1:80"},
           {{"--http-token-file", "f"}, "--http-token-file needs --http; such as --http 0.0.0.0:9464"},
           {{"--receipt-timeout", "5"},
            "--receipt-timeout: '5' is not a duration, written like 250ms, 10s, 5m, 1h or 30d"},
           {{"--bus", "name=a"},
            "--bus 'name=a': a bus has exactly one of device=, tcp= and rtu-over-tcp=; such as "
            "device=/dev/ttyS1,baud=9600,mode=8E1"},
           {{"--meter", "id=m"}, "--meter 'id=m': bus= is missing; such as bus=rs485-1"},
           {{"--poll", "x"}, "--poll 'x': 'x' is not key=value; a SPEC is key=value,key=value"},
       }) {
    EXPECT_EQ(fault(c.words), c.fault);
  }
}

TEST_F(OptionsTest, NeverRepeatsASecret) {
  for (const Words& words :
       {Words{"--password=hunter2"}, Words{"--password", "hunter2"}, Words{"--upstream", "mqtt://u:hunter2@h"}}) {
    EXPECT_THAT(fault(words), Not(HasSubstr("hunter2")));
  }
  environment_ = {{"METERGATE_PASSWORD", "hunter2"}};
  EXPECT_EQ(fault({}), "METERGATE_PASSWORD: a secret is never a flag's value; use --password-file");
}

TEST(TopicPrefixTest, TakesUpTo200Bytes) {
  EXPECT_TRUE(parse_topic_prefix(std::string(200, 'p')));
  EXPECT_FALSE(parse_topic_prefix(std::string(201, 'p')));
}

TEST_F(OptionsTest, RefusesFilesWithPlaceAndStatus78) {
  const struct {
    const char* content;
    const char* fault;
  } cases[] = {{"batch = 0", ":1: batch: '0' is not a whole number from 1 to 1000"},
               {"\ngatewya-id = x", ":2: unknown option 'gatewya-id' (did you mean 'gateway-id'?)"},
               {"--batch = 1", ":1: unknown option '--batch' (did you mean 'batch'?)"},
               {"trust-clock = maybe", ":1: trust-clock: 'maybe' is not one of yes, no"},
               {"username =", ":1: username: has no value; such a value is U"},
               {"config = x", ":1: config: stands on the command line only"},
               {"help = yes", ":1: help: stands on the command line only"},
               {"json = yes", ":1: json: stands on the command line only"},
               {"password = hunter2", ":1: password: a secret is never a flag's value; use --password-file"},
               {"http = 127.0.0.1:x", ":1: http: ':x' is not ':' and a port from 1 to 65535; such as 127.0.0.1:9464"},
               {"bus = name=a",
                ":1: bus: a bus has exactly one of device=, tcp= and rtu-over-tcp=; such as "
                "device=/dev/ttyS1,baud=9600,mode=8E1"}};
  for (const auto& c : cases) {
    const std::string path = file("config", c.content);
    EXPECT_EQ(fault({"--config", path}, 78), path + c.fault);
    EXPECT_EQ(fault({"@" + path}, 78), path + c.fault);
  }
  EXPECT_EQ(fault({"--config", "/nowhere"}, 78), "cannot read '/nowhere': No such file or directory");
  EXPECT_EQ(fault({"@/nowhere"}, 78), "cannot read '/nowhere': No such file or directory");
  EXPECT_EQ(fault({"--meters", "/nowhere"}, 78),
            "--meters '/nowhere': cannot read '/nowhere': No such file or directory");
}

TEST_F(OptionsTest, NeverRepeatsControlCharactersOrALongText) {
  const std::string much(1 << 20, 'x');
  for (const std::string& line : {"\x1B]0;owned\x07" + much, "bus\x1B = " + much, "bus = name=a\x1B" + much,
                                  "bus = " + much, "bus = \"" + much, "bus = name=a,b\x1B" + much + "=1",
                                  "batch = 1\x1B" + much, "log-level = \x1B" + much, "meters = /\x1B" + much}) {
    const std::string message = fault({"@" + file("flags", line)}, 78);
    EXPECT_EQ(message.find('\x1B'), std::string::npos) << message;
    EXPECT_LT(message.size(), 900u);
  }
  for (const std::string& table :
       {"id,bus\x1B" + much + "\n", "id,bus\n\x1B" + much + ",a,b\n", "id,bus\n\"a\" \x1B" + much + "\n",
        "id,bus,unit,profile\nm,a,\x1B" + much + ",p\n", "id,bus,unit,profile,points\nm,a,1,p,\x1B" + much + "\n"}) {
    const std::string message = fault({"--meters", file("t.csv", table)}, 78);
    EXPECT_EQ(message.find('\x1B'), std::string::npos) << message;
    EXPECT_LT(message.size(), 900u);
  }
  const std::string message = fault({"--bus", "name=a\x1B" + much});
  EXPECT_EQ(message.find('\x1B'), std::string::npos);
  EXPECT_LT(message.size(), 900u);
}

TEST_F(OptionsTest, JudgesTheEnvironmentLikeFlags) {
  environment_ = {{"METERGATE_BATCH", "0"}};
  EXPECT_EQ(fault({}), "METERGATE_BATCH: '0' is not a whole number from 1 to 1000");
  environment_ = {{"METERGATE_METER", "\nid=m"}};
  EXPECT_EQ(fault({}), "METERGATE_METER line 2: bus= is missing; such as bus=rs485-1");
  environment_ = {{"METERGATE_TRUST_CLOCK", "1"}};
  EXPECT_EQ(fault({}), "METERGATE_TRUST_CLOCK: '1' is not one of yes, no");
}

TEST_F(OptionsTest, ServesBeyondLoopbackWithATokenOnly) {
  for (const char* near : {"127.0.0.1:9464", "localhost:9464", "127.1.2.3:1", "[::1]:9464"}) {
    EXPECT_TRUE(run({"--http", near}).http) << near;
  }
  for (const char* far : {"0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_THAT(fault({"--http", far}), HasSubstr("it needs --http-token-file F")) << far;
    EXPECT_EQ(run({"--http", far, "--http-token-file", "f"}).http_token_file, "f") << far;
  }
}

TEST_F(OptionsTest, WarnsOfVariablesThatAreNoOption) {
  environment_ = {{"METERGATE_BATHC", "7"}, {"METERGATE_SERVICE_HOST", "10.0.0.1"}, {"METERGATE_USERNAME", ""}};
  const Invocation invocation = good({"run", "--gateway-id", "g", "--upstream", "mqtt://h"});
  EXPECT_THAT(invocation.warnings,
              ElementsAre("METERGATE_BATHC is no option and was ignored (did you mean 'METERGATE_BATCH'?)",
                          StartsWith("METERGATE_SERVICE_HOST is no option and was ignored")));
  EXPECT_EQ(invocation.options.uplink.batch, 50);
}

TEST_F(OptionsTest, WantsAGatewayIdAndAnUpstream) {
  EXPECT_EQ(
      bad({"run", "--gateway-id", "g"}).message,
      "--upstream is missing; such as --upstream mqtts://broker.example.com, or --upstream stdout: to try things out");
  EXPECT_EQ(bad({"run", "--upstream", "mqtt://h"}).message,
            "--gateway-id is missing: 1 to 64 letters, digits, '_' or '-'; such as --gateway-id site-12");
  EXPECT_EQ(bad({"check", "--upstream", "mqtt://h"}).status, 64);
  EXPECT_TRUE(good({"run", "--upstream", "stdout:"}).options.uplink.to_stdout);
  EXPECT_EQ(bad({"run", "--upstream", "stdout:", "--delivery", "receipt"}).message,
            "--delivery receipt needs a broker: with stdout: a record is delivered when it is written");
}

TEST_F(OptionsTest, TakesTheNodesOfOneBrokerFromAllSources) {
  const std::string flags = file("flags", "gateway-id = g\nupstream = mqtts://n1\nupstream = mqtts://n2:9883\n");
  environment_ = {{"METERGATE_UPSTREAM", "mqtts://e1\nmqtts://[2001:db8::1]"}};
  const UplinkOptions uplink = good({"run", "@" + flags, "--upstream", "mqtts://n3"}).options.uplink;
  std::vector<std::string> nodes;
  for (const Endpoint& broker : uplink.brokers) nodes.push_back(broker.text());
  EXPECT_THAT(nodes, ElementsAre("e1:8883", "[2001:db8::1]:8883", "n1:8883", "n2:9883", "n3:8883"));
  EXPECT_TRUE(uplink.tls);
  EXPECT_FALSE(uplink.to_stdout);
}

TEST_F(OptionsTest, RefusesUpstreamsThatAreNotTheNodesOfOneBroker) {
  const std::string flags = file("flags", "gateway-id = g\nupstream = mqtts://h\n");
  EXPECT_EQ(bad({"run", "@" + flags, "--upstream", "stdout:"}).message,
            flags + ":2 and --upstream 'stdout:': stdout: stands alone; leave the other --upstream out");
  EXPECT_EQ(bad({"run", "--upstream", "stdout:", "--upstream", "stdout:"}).message,
            "--upstream 'stdout:' and --upstream 'stdout:': stdout: stands alone; leave the other --upstream out");
  EXPECT_EQ(bad({"run", "--upstream", "stdout:", "@" + flags}).status, 78);
  EXPECT_EQ(
      fault({"--upstream", "mqtts://h2"}),
      "--upstream 'mqtt://h' and --upstream 'mqtts://h2': the nodes of one broker are all mqtt:// or all mqtts://");
  EXPECT_EQ(fault({"--upstream", "mqtt://h:1883"}),
            "upstream 'h:1883' is there twice: --upstream 'mqtt://h' and --upstream 'mqtt://h:1883'");
  Words many;
  for (int i = 1; i < 16; ++i) many.insert(many.end(), {"--upstream", "mqtt://n" + std::to_string(i)});
  EXPECT_EQ(run(many).uplink.brokers.size(), 16u);
  many.insert(many.end(), {"--upstream", "mqtt://n16"});
  EXPECT_EQ(fault(many), "17 upstreams; at most 16 are possible");
}

TEST_F(OptionsTest, TakesAtMost256Buses) {
  std::string buses;
  for (int i = 0; i < 256; ++i) buses += "name=b" + std::to_string(i) + ",tcp=h:" + std::to_string(i + 1) + "\n";
  environment_ = {{"METERGATE_BUS", buses}};
  EXPECT_EQ(run().buses.size(), 256u);
  EXPECT_EQ(fault({"--bus", kBus}), "257 buses; at most 256 are possible");
}

TEST_F(OptionsTest, RefusesWrongOrMissingCommands) {
  EXPECT_THAT(bad({}).message, StartsWith("there is no command\nUsage: metergate COMMAND"));
  EXPECT_EQ(bad({"rnu"}).message, "unknown command 'rnu' (did you mean 'run'?); 'metergate --help' lists them");
  EXPECT_EQ(bad({"chek"}).message, "unknown command 'chek' (did you mean 'check'?); 'metergate --help' lists them");
  EXPECT_EQ(bad({"--bus", kBus}).message, "unknown command '--bus'; 'metergate --help' lists them");
}

TEST_F(OptionsTest, PrintsHelpAndVersion) {
  EXPECT_EQ(good({"--version"}).text, "metergate 0.1.0\n");
  EXPECT_EQ(good({"run", "--version"}).subcommand, Subcommand::kVersion);
  for (const char* help : {"--help", "-h", "help"}) {
    EXPECT_EQ(good({help}).subcommand, Subcommand::kHelp);
    EXPECT_THAT(good({help}).text, HasSubstr("  check     Checks flags, files, profiles and store"));
  }
  const std::string text = good({"run", "--batch", "nonsense", "--help"}).text;
  EXPECT_THAT(text, StartsWith("Usage: metergate run [OPTIONS | @FILE]...\n"));
  EXPECT_THAT(text, HasSubstr("\nUplink:\n"));
  EXPECT_THAT(text, HasSubstr("--batch N (=50)"));
  EXPECT_THAT(text, HasSubstr("SPEC of --bus"));
  EXPECT_THAT(text, Not(HasSubstr("--json")));
  EXPECT_THAT(good({"read", "--help"}).text, HasSubstr("--json"));
}

TEST_F(OptionsTest, ReadsAMeterOfTheFlags) {
  const Invocation i = good({"read", "--bus", kBus, "--meter", kMeter, "m", "--json", "--watch", "5s"});
  EXPECT_EQ(i.subcommand, Subcommand::kRead);
  EXPECT_EQ(i.meter, "m");
  EXPECT_TRUE(i.json);
  EXPECT_EQ(i.watch, Millis{5000});
  EXPECT_FALSE(i.bus);
  EXPECT_FALSE(i.table);
}

TEST_F(OptionsTest, ReadsAUnitByProfileOnTheLastBusGiven) {
  environment_ = {{"METERGATE_BUS", "name=other,tcp=h:1"}};
  const Invocation i = good({"read", "--bus", kBus, "--unit", "7", "--profile", "p"});
  ASSERT_TRUE(i.bus);
  EXPECT_EQ(i.bus->name, "a");
  EXPECT_EQ(i.unit, 7);
  EXPECT_EQ(i.profile, "p");
}

TEST_F(OptionsTest, ReadsRawRegisters) {
  const Invocation i =
      good({"read", "--bus", kBus, "--unit", "7", "--table", "holding", "--address", "0x10", "--count", "4"});
  EXPECT_EQ(i.table, Table::kHolding);
  EXPECT_EQ(i.address, 16);
  EXPECT_EQ(i.count, 4);
  EXPECT_EQ(i.repeat, 1);
  EXPECT_EQ(good({"read", "--bus", kBus, "--unit", "7", "--table", "coil", "--address", "65535"}).count, 1);
  EXPECT_EQ(good({"read", "--bus", kBus, "--meter", kMeter, "m", "--table", "input", "--address", "1"}).meter, "m");
}

TEST_F(OptionsTest, ReadsAllMetersSeveralTimes) {
  const Invocation i = good({"read", "--bus", kBus, "--all", "--count", "500"});
  EXPECT_TRUE(i.all);
  EXPECT_EQ(i.repeat, 500);
  EXPECT_EQ(good({"read", "--all"}).repeat, 1);
}

TEST_F(OptionsTest, RefusesReadsThatSayTooLittleOrTooMuch) {
  const std::string one = "read wants one of: a METER's id, --bus SPEC with --unit N, or --all";
  for (const Case& c : {
           Case{{}, one.c_str()},
           {{"m", "--all"}, one.c_str()},
           {{"m", "--unit", "1"}, one.c_str()},
           {{"m", "n"}, "'n' is one word too many; options start with '--', files of options with '@'"},
           {{"m", "--profile", "p"}, "--profile goes with --bus and --unit; a METER has its own profile"},
           {{"--unit", "1", "--profile", "p"}, "--unit needs the --bus that the meter is on"},
           {{"--bus", kBus, "--unit", "1"}, "say what to read: --profile P, or --table holding --address A --count C"},
           {{"--bus", kBus, "--unit", "256", "--profile", "p"},
            "--unit: '256' is not a unit: 1 to 247 on a serial line, 0 to 255 with tcp="},
           {{"m", "--count", "2"}, "--count needs --table or --all"},
           {{"m", "--address", "2"}, "--address needs --table"},
           {{"m", "--table", "holding"}, "--table needs --address; such as --table holding --address 0 --count 2"},
           {{"m", "--table", "holdng", "--address", "1"},
            "--table: 'holdng' is not one of coil, discrete, input, holding (did you mean 'holding'?)"},
           {{"m", "--table", "holding", "--address", "0", "--count", "126"},
            "--count: '126' is not from 1 to 125, all that one request can read at that address"},
           {{"m", "--table", "holding", "--address", "0xFFFF", "--count", "2"},
            "--count: '2' is not from 1 to 1, all that one request can read at that address"},
           {{"m", "--table", "coil", "--address", "0", "--count", "2001"},
            "--count: '2001' is not from 1 to 2000, all that one request can read at that address"},
           {{"m", "--table", "coil", "--address", "0x10000"},
            "--address: '0x10000' is not a zero-based address from 0 to 65535 or 0x0 to 0xFFFF"},
           {{"--all", "--watch", "5s"}, "--all and --watch do not go together"},
           {{"--all", "--table", "coil"}, "--all and --table do not go together"},
       }) {
    Words words = c.words;
    words.insert(words.begin(), "read");
    EXPECT_EQ(bad(words).message, c.fault);
    EXPECT_EQ(bad(words).status, 64);
  }
}

TEST_F(OptionsTest, ListsOrNamesProfiles) {
  EXPECT_EQ(good({"profiles"}).subcommand, Subcommand::kProfiles);
  EXPECT_EQ(good({"profiles"}).text, "");
  EXPECT_EQ(good({"profiles", "sdm630", "--profile-dir", "/p"}).text, "sdm630");
  EXPECT_THAT(good({"profiles", "sdm630", "--profile-dir", "/p"}).options.profile_dirs, ElementsAre("/p"));
}

}  // namespace
}  // namespace metergate
