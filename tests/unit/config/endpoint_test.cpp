#include "agent/config/endpoint.h"

#include <gtest/gtest.h>

namespace metergate {
namespace {

struct Good {
  const char* text;
  const char* host;
  int port;
};
struct Bad {
  const char* text;
  const char* fault;
};

TEST(EndpointTest, ReadsHostAndPort) {
  for (const Good& c : {Good{"10.0.0.7:502", "10.0.0.7", 502},
                        {"plc-1.local:1", "plc-1.local", 1},
                        {"[::1]:65535", "::1", 65535},
                        {"[fe80::1%eth0]:502", "fe80::1%eth0", 502}}) {
    const auto endpoint = parse_endpoint(c.text, 0, "h:1");
    ASSERT_TRUE(endpoint) << c.text << endpoint.error().detail;
    EXPECT_EQ(endpoint->host, c.host);
    EXPECT_EQ(endpoint->port, c.port);
  }
  EXPECT_EQ(parse_endpoint("h", 502, "h:1")->port, 502);
  EXPECT_EQ(parse_endpoint("[::1]", 502, "h:1")->port, 502);
}

TEST(EndpointTest, RefusesOthersWithAnExample) {
  for (const Bad& c :
       {Bad{"", "'' is not a host: a name, an IPv4 address or [an IPv6 address]; such as h:1"},
        {":502", "'' is not a host: a name, an IPv4 address or [an IPv6 address]; such as h:1"},
        {"h", "'h' has no port; such as h:1"},
        {"[::1]", "'[::1]' has no port; such as h:1"},
        {"h:0", "':0' is not ':' and a port from 1 to 65535; such as h:1"},
        {"h:65536", "':65536' is not ':' and a port from 1 to 65535; such as h:1"},
        {"h:", "':' is not ':' and a port from 1 to 65535; such as h:1"},
        {"h:5 02", "':5 02' is not ':' and a port from 1 to 65535; such as h:1"},
        {"[::1]502", "'502' is not ':' and a port from 1 to 65535; such as h:1"},
        {"[::1:502", "'[::1:502' has a '[' without its ']'; such as h:1"},
        {"[h]:502", "'h' is not a host: a name, an IPv4 address or [an IPv6 address]; such as h:1"},
        {"2001:db8::7", "'2001:db8::7' is an IPv6 address; it stands in brackets, such as [2001:db8::7]:502"},
        {"a b:502", "'a b' is not a host: a name, an IPv4 address or [an IPv6 address]; such as h:1"},
        {"-h:502", "'-h' is not a host: a name, an IPv4 address or [an IPv6 address]; such as h:1"}}) {
    const auto endpoint = parse_endpoint(c.text, 0, "h:1");
    ASSERT_FALSE(endpoint) << c.text;
    EXPECT_EQ(endpoint.error().detail, c.fault);
  }
}

TEST(UpstreamTest, ReadsBrokersWithTheUsualPorts) {
  EXPECT_EQ(parse_upstream("mqtt://broker")->broker.port, 1883);
  EXPECT_EQ(parse_upstream("mqtts://broker")->broker.port, 8883);
  EXPECT_FALSE(parse_upstream("mqtt://broker")->tls);
  EXPECT_TRUE(parse_upstream("mqtts://broker")->tls);
  EXPECT_EQ(parse_upstream("mqtts://[2001:db8::1]:18883/")->broker.host, "2001:db8::1");
  EXPECT_EQ(parse_upstream("mqtts://[2001:db8::1]:18883/")->broker.port, 18883);
  EXPECT_TRUE(parse_upstream("stdout:")->to_stdout);
  EXPECT_FALSE(parse_upstream("mqtt://broker")->to_stdout);
}

TEST(UpstreamTest, RefusesOthersAndNamesWhatWasMeant) {
  for (const Bad& c :
       {Bad{"tcp://broker:1883",
            "'tcp://broker:1883' is not mqtt://HOST, mqtts://HOST or stdout: (did you mean 'mqtt://'?)"},
        {"ssl://broker", "'ssl://broker' is not mqtt://HOST, mqtts://HOST or stdout: (did you mean 'mqtts://'?)"},
        {"stdout", "'stdout' is not mqtt://HOST, mqtts://HOST or stdout: (did you mean 'stdout:'?)"},
        {"broker:1883", "'broker:1883' is not mqtt://HOST, mqtts://HOST or stdout:"},
        {"mqtt://",
         "'' is not a host: a name, an IPv4 address or [an IPv6 address]; such as mqtt://broker.example.com"},
        {"mqtt://h/path",
         "'h/path' is not a host: a name, an IPv4 address or [an IPv6 address]; such as mqtt://broker.example.com"},
        {"mqtts://user:secret@h", "a user or password is never part of the URL; use --username and --password-file"}}) {
    const auto upstream = parse_upstream(c.text);
    ASSERT_FALSE(upstream) << c.text;
    EXPECT_EQ(upstream.error().detail, c.fault);
  }
}

}  // namespace
}  // namespace metergate
