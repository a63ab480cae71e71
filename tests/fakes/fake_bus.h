#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "drivers/bus.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {

/// A line on virtual time: an answer takes `transaction`, silence takes `timeout`. Every register holds its own
/// address.
class FakeBus : public Bus {
 public:
  explicit FakeBus(const FakeClock& clock) : clock_(clock) {}

  Status open() override {
    ++opens;
    if (unplugged) return Error{Errc::kBusDown, "no such device", 0};
    open_ = true;
    return {};
  }
  void close() override { open_ = false; }
  bool is_open() const override { return open_; }

  Result<Words> read(const Target& target, const Block& block) override {
    asked.push_back(target.address);
    asked_again.push_back(target.asked_again);
    blocks.push_back(block);
    if (on_read) on_read(target.address);
    if (unplugged) return Error{Errc::kBusDown, "unplugged", 0};
    if (hang_up && hang_up()) {
      open_ = false;
      return Error{Errc::kBusDown, "the other side closed the connection", 0};
    }
    if (silent.count(target.address) > 0) {
      clock_.advance(target.timeout.value_or(timeout));
      return Error{Errc::kTimeout, "unit " + target.address + " did not answer", 0};
    }
    clock_.advance(transaction);
    if (const auto it = refuse.find(target.address); it != refuse.end()) {
      return Error{Errc::kException, "refused", it->second};
    }
    if (const int exception = refuse_block ? refuse_block(block) : 0) {
      return Error{Errc::kException, "refused", exception};
    }
    Words words;
    for (int i = 0; i < block.count; ++i) words.push_back(static_cast<std::uint16_t>(block.address + i));
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto it = registers.find(words[i]);
      if (it != registers.end()) words[i] = it->second;
    }
    return words;
  }

  WriteOutcome write(const Target& target, const Write& write) override {
    writes.push_back(target.address);
    if (on_write) on_write(write);
    clock_.advance(transaction);
    return {write_status, write_sent};
  }
  BusCounters counters() const override { return counted; }
  std::optional<Turnaround> turnaround(const Target&) const override { return measured; }

  Millis transaction{50};
  Millis timeout{1000};
  std::set<std::string> silent;
  std::map<std::string, int> refuse;
  std::function<int(const Block&)> refuse_block;  ///< the exception, or 0
  std::map<std::uint16_t, std::uint16_t> registers;
  bool unplugged = false;
  std::function<bool()> hang_up;  ///< whether the connection breaks off in this transaction
  int opens = 0;                  ///< tries to open
  BusCounters counted;
  std::optional<Turnaround> measured;
  Status write_status;
  bool write_sent = true;
  std::function<void(const std::string&)> on_read;
  std::function<void(const Write&)> on_write;
  std::vector<std::string> asked, writes;
  std::vector<Block> blocks;
  std::vector<bool> asked_again;

 private:
  const FakeClock& clock_;
  bool open_ = false;
};

}  // namespace metergate
