#include "agent/uplink/in_flight.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace metergate {

std::size_t InFlight::bytes() const { return std::accumulate(bytes_.begin(), bytes_.end(), std::size_t{0}); }

SourceSet InFlight::sources() const {
  SourceSet set;
  for (const SentMessage& message : messages_) set.set(index_of(message.source));
  return set;
}

std::size_t InFlight::largest() const {
  std::size_t bytes = 0;
  for (const SentMessage& message : messages_) bytes = std::max(bytes, message.bytes);
  return bytes;
}

std::size_t InFlight::bytes_before(Source source) const {
  return source == Source::kReadings ? bytes() : bytes() - bytes_[index_of(Source::kReadings)];
}

Nanos InFlight::age(MonoTime now) const { return messages_.empty() ? Nanos{0} : now - messages_.front().sent; }

MonoTime InFlight::overdue(std::size_t bytes_a_second) const {
  if (messages_.empty()) return MonoTime::max();
  const SentMessage& oldest = messages_.front();
  const auto seconds = 4.0 * static_cast<double>(oldest.queued) / static_cast<double>(bytes_a_second);
  return oldest.sent + kPatience + std::chrono::duration_cast<Nanos>(std::chrono::duration<double>(seconds));
}

void InFlight::add(SentMessage message, MonoTime now) {
  bytes_[index_of(message.source)] += message.bytes;
  message.queued = bytes();
  message.sent = now;
  messages_.push_back(std::move(message));
}

std::optional<SentMessage> InFlight::acked(Handle handle) {
  const auto it = std::find_if(messages_.begin(), messages_.end(),
                               [&](const SentMessage& message) { return message.handle == handle; });
  if (it == messages_.end()) return std::nullopt;
  SentMessage message = std::move(*it);
  messages_.erase(it);
  bytes_[index_of(message.source)] -= message.bytes;
  return message;
}

std::deque<SentMessage> InFlight::lost() {
  bytes_.fill(0);
  return std::exchange(messages_, {});
}

}  // namespace metergate
