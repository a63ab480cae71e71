#include "agent/uplink/mqtt_packet.h"
#include "tests/fuzz/fuzz.h"

using namespace metergate;

/// What a server sends that may be no broker. The packets do not depend on how the bytes were cut on their way.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = text_of(data, size);
  PacketReader whole, pieces;
  const auto at_once = whole.take(bytes);
  std::vector<Packet> one_by_one;
  bool garbled = false;
  for (std::size_t i = 0; i < bytes.size() && !garbled; ++i) {
    const auto some = pieces.take(bytes.substr(i, 1));
    garbled = !some;
    if (some) one_by_one.insert(one_by_one.end(), some->begin(), some->end());
  }
  must(garbled != static_cast<bool>(at_once), "cut or whole, it is MQTT or it is not");
  if (!at_once) return 0;
  must(at_once->size() == one_by_one.size(), "as many packets, cut or whole");
  for (std::size_t i = 0; i < at_once->size(); ++i) {
    const Packet& packet = (*at_once)[i];
    must(packet.body == one_by_one[i].body && packet.type == one_by_one[i].type, "the same packets, cut or whole");
    must(packet.body.size() <= PacketReader::kKept, "no more is kept than the limit");
    static_cast<void>(parse_connack(packet));
    static_cast<void>(parse_suback(packet));
    static_cast<void>(topic_of(packet));
  }
  return 0;
}
