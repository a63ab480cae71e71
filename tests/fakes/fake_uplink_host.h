#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/uplink/uplink_host.h"

namespace metergate {

/// The agent around an uplink: gives what the test set, and notes what it was told.
class FakeUplinkHost : public UplinkHost {
 public:
  static inline const std::string kEpoch = "e0e0e0e0e0e0";

  void wake_uplink() override { wake(); }
  bool take_command(const Message& message) override {
    commands.push_back(message.payload);
    return durable;
  }
  std::string status_payload(bool online) override {
    return online ? R"({"state":"online","epoch":")" + kEpoch + "\"}" : "offline";
  }
  std::optional<std::vector<std::vector<std::string>>> catalogs() override {
    if (!answers) return std::nullopt;
    std::vector<std::vector<std::string>> found;
    for (const std::string& catalog : catalog_texts) found.push_back({catalog});
    if (!parts.empty()) found.push_back(parts);
    return found;
  }
  bool knows_epoch(const std::string& epoch) override { return epoch == kEpoch; }
  void duplicate_gateway(const std::string& epoch) override { duplicates.push_back(epoch); }
  Draft session_lost() override { return Draft{Lane::kEvents, {}, {}, true, "\"event\":\"session_lost\""}; }
  void reader_gone() override { ++readers_gone; }

  std::function<void()> wake = [] {};
  bool durable = true;  ///< a command that is taken
  std::vector<std::string> commands;
  bool answers = true;  ///< the store, for catalogs
  std::vector<std::string> catalog_texts{"catalog-old", "catalog-now"};
  std::vector<std::string> parts;  ///< of one more catalog
  std::vector<std::string> duplicates;
  int readers_gone = 0;
};

}  // namespace metergate
