#include "agent/uplink/mqtt_packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace metergate {
namespace {

using namespace std::string_literals;
using testing::SizeIs;

TEST(MqttPacketTest, AConnectKeepsTheSessionAndHasNoWill) {
  ConnectPacket connect;
  connect.client_id = "metergate-gw";
  connect.username = "gw";
  connect.password = "pw";
  connect.keep_alive = Millis{20'000};

  EXPECT_EQ(encode(connect), "\x10\x20\x00\x04MQTT\x04\xc0\x00\x14\x00\x0cmetergate-gw\x00\x02gw\x00\x02pw"s);
}

TEST(MqttPacketTest, ACleanConnectWithoutAUserSaysSo) {
  ConnectPacket connect;
  connect.client_id = "a";
  connect.clean_session = true;

  EXPECT_EQ(encode(connect), "\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01"s + "a");
}

TEST(MqttPacketTest, ALongPacketHasALengthOfSeveralBytes) {
  const std::string packet = subscribe_packet(1, std::string(200, 't'));

  EXPECT_EQ(packet.substr(0, 7), "\x82\xcd\x01\x00\x01\x00\xc8"s);
  EXPECT_EQ(packet.back(), '\x01');
}

TEST(MqttPacketTest, ReadsTheAnswersOfABroker) {
  PacketReader reader;
  const auto packets = reader.take("\x20\x02\x01\x00\x90\x03\x00\x07\x80\xd0\x00"s);

  ASSERT_TRUE(packets);
  ASSERT_THAT(*packets, SizeIs(3));
  const auto connack = parse_connack((*packets)[0]);
  ASSERT_TRUE(connack);
  EXPECT_TRUE(connack->session_present);
  EXPECT_EQ(connack->code, 0);
  const auto suback = parse_suback((*packets)[1]);
  ASSERT_TRUE(suback);
  EXPECT_EQ(suback->id, 7);
  EXPECT_EQ(suback->code, kSubackFailure);
  EXPECT_EQ((*packets)[2].type, Packet::Type::kPingresp);
}

TEST(MqttPacketTest, ReadsPacketsThatComeByteByByte) {
  const std::string stream =
      "\x20\x02\x00\x05\x33\x0a\x00\x03"
      "a/b"
      "\x00\x01xyz\xd0\x00"s;
  PacketReader reader;
  std::vector<Packet> all;
  for (const char c : stream) {
    const auto some = reader.take({&c, 1});
    ASSERT_TRUE(some);
    all.insert(all.end(), some->begin(), some->end());
  }

  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(parse_connack(all[0])->code, 5);
  EXPECT_EQ(topic_of(all[1]), "a/b");
  EXPECT_TRUE(all[1].retained);
}

TEST(MqttPacketTest, KeepsOnlyTheBeginningOfALargePacket) {
  PacketReader reader;
  ASSERT_TRUE(reader.take("\x30\xff\xff\x03\x00\x01t"s));
  const auto packets = reader.take(std::string(65'532, 'x'));

  ASSERT_TRUE(packets);
  ASSERT_THAT(*packets, SizeIs(1));
  EXPECT_THAT((*packets)[0].body, SizeIs(PacketReader::kKept));
  EXPECT_EQ(topic_of((*packets)[0]), "t");
}

TEST(MqttPacketTest, RefusesWhatNoBrokerSends) {
  for (const std::string& bytes : {"HTTP/1.1 400"s, "\x15\x03\x01"s, "\x10\x00"s, "\x21\x02\x00\x00"s, "\x36\x00"s,
                                   "\x30\xff\xff\xff\xff\x01"s, "\x00\x00"s, "\xf0\x00"s}) {
    PacketReader reader;
    const auto packets = reader.take(bytes);
    ASSERT_FALSE(packets) << testing::PrintToString(bytes);
    EXPECT_EQ(packets.error().code, Errc::kGarbled);
  }
}

TEST(MqttPacketTest, DoesNotReadAnAnswerOfAnotherLength) {
  PacketReader reader;
  const auto packets = reader.take("\x20\x01\x00\x90\x02\x00\x01\x30\x03\x00\x09t\x30\x00"s);

  ASSERT_TRUE(packets);
  ASSERT_THAT(*packets, SizeIs(4));
  EXPECT_FALSE(parse_connack((*packets)[0]));
  EXPECT_FALSE(parse_suback((*packets)[1]));
  EXPECT_FALSE(topic_of((*packets)[2]));
  EXPECT_FALSE(topic_of((*packets)[3]));
}

}  // namespace
}  // namespace metergate
