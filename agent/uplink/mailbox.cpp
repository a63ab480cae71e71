#include "agent/uplink/mailbox.h"

#include <utility>

namespace metergate {

namespace {
constexpr std::size_t kMostStatuses = 4;
constexpr std::size_t kMostReceipts = 100;
constexpr std::size_t kLongestKept = 4096;
}  // namespace

template <class Note>
void Mailbox::note(Note note) {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    note();
  }
  host_.wake_uplink();
}

Mail Mailbox::take() {
  const std::lock_guard<std::mutex> hold(mutex_);
  return std::exchange(mail_, {});
}

std::int64_t Mailbox::ignored() const {
  const std::lock_guard<std::mutex> hold(mutex_);
  return ignored_;
}

void Mailbox::on_connected(bool session_present) {
  note([&] { mail_.session_present = session_present; });
}
void Mailbox::on_subscribed(const std::vector<std::string>& refused) {
  note([&] { mail_.subscribed = refused; });
}
void Mailbox::on_lost(const std::string& why) {
  note([&] { mail_.lost = why; });
}
void Mailbox::on_acked(Handle handle) {
  note([&] { mail_.acked.push_back(handle); });
}

bool Mailbox::on_message(const Message& message) {
  if (message.topic == topics_.commands && !message.retained) return host_.take_command(message);
  const bool kept = message.payload.size() <= kLongestKept;
  note([&] {
    if (kept && message.topic == topics_.status && mail_.statuses.size() < kMostStatuses) {
      mail_.statuses.push_back(message.payload);
    } else if (kept && message.topic == topics_.receipts && !message.retained &&
               mail_.receipts.size() < kMostReceipts) {
      mail_.receipts.push_back(message.payload);
    } else {
      ++ignored_;
    }
  });
  return true;
}

}  // namespace metergate
