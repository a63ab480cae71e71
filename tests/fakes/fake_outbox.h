#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/key_value_store.h"
#include "store/outbox.h"

namespace metergate {

/// An outbox in memory: what is appended is durable at once, and nothing is forgotten.
class FakeOutbox : public Outbox {
 public:
  void append(std::vector<Draft> drafts) override {
    for (const Draft& draft : drafts) add(draft.lane, draft.body);
  }
  Result<Batch> peek(Lane lane, std::int64_t after, std::size_t max_rows, std::size_t max_bytes) override {
    ++peeks;
    if (error) return *error;
    Batch batch;
    std::size_t bytes = 0;
    for (const auto& [key, row] : rows) {
      if (row.lane != lane || key <= after) continue;
      if (batch.rows.size() >= max_rows || (!batch.rows.empty() && bytes + row.bytes.size() > max_bytes)) break;
      const auto before = after_event.find(key);
      if (before != after_event.end() && batch.rows.empty()) batch.after_event = before->second;
      if (before != after_event.end() && !batch.rows.empty()) break;
      bytes += row.bytes.size();
      batch.rows.push_back(row);
    }
    return batch;
  }
  Result<std::vector<Row>> fetch(const std::vector<std::int64_t>& keys) override {
    if (error) return *error;
    std::vector<Row> found;
    for (const std::int64_t key : keys) {
      if (rows.count(key) > 0) found.push_back(rows[key]);
    }
    return found;
  }
  void sent(Lane lane, std::int64_t key) override { sent_keys[static_cast<std::size_t>(lane)] = key; }
  /// Numbers are keys here, and there is one epoch.
  Result<Receipted> receipt(const Receipt& receipt, std::int64_t published) override {
    if (error) return *error;
    std::int64_t& upto = delivered_keys[static_cast<std::size_t>(receipt.lane)];
    if (receipt.epoch != "e0" || receipt.upto > published) return Receipted{ReceiptFate::kIgnored, upto};
    if (receipt.upto <= upto) return Receipted{ReceiptFate::kNothingNew, upto};
    return Receipted{ReceiptFate::kCounts, upto = receipt.upto};
  }
  Result<std::int64_t> sent_key(Lane lane) override {
    if (error) return *error;
    const auto i = static_cast<std::size_t>(lane);
    return std::max(sent_keys[i], delivered_keys[i]);
  }
  void delivered(Lane lane, std::int64_t key) override { delivered_keys[static_cast<std::size_t>(lane)] = key; }
  Result<std::int64_t> delivered_key(Lane lane) override {
    if (error) return *error;
    return delivered_keys[static_cast<std::size_t>(lane)];
  }
  StoreState state() override { return {}; }

  /// Returns the key. `{"id":"readings-7"}`, filled up to `size` bytes.
  std::int64_t add(Lane lane, const std::string& body = {}, std::size_t size = 0) {
    const std::int64_t key = ++last_key;
    std::string bytes = "{\"id\":\"" + std::string(lane_name(lane)) + "-" + std::to_string(key) + "\"";
    if (!body.empty()) bytes += "," + body;
    if (size > bytes.size()) bytes += std::string(size - bytes.size() - 1, ' ');
    rows[key] = Row{key, lane, "e0", key, bytes + "}"};
    return key;
  }
  std::int64_t delivered_up_to(Lane lane) const { return delivered_keys[static_cast<std::size_t>(lane)]; }

  std::map<std::int64_t, Row> rows;
  std::map<std::int64_t, std::int64_t> after_event;  ///< key of a row and of the event before it
  std::array<std::int64_t, kLanes> sent_keys{}, delivered_keys{};
  std::optional<Error> error;
  std::int64_t last_key = 0;
  int peeks = 0;
};

class FakeKeyValueStore : public KeyValueStore {
 public:
  Result<std::optional<std::string>> get(const std::string& key) override {
    if (error) return *error;
    const auto found = values.find(key);
    if (found == values.end()) return std::optional<std::string>{};
    return std::optional(found->second);
  }
  Status put(const std::string& key, const std::string& value) override {
    if (error) return *error;
    keep(key, value);
    return {};
  }
  void put_later(const std::string& key, const std::string& value) override { keep(key, value); }

  std::map<std::string, std::string> values;
  std::map<std::string, int> writes;  ///< by key
  std::optional<Error> error;

 private:
  void keep(const std::string& key, const std::string& value) {
    values[key] = value;
    ++writes[key];
  }
};

}  // namespace metergate
