#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "drivers/bus.h"

namespace metergate {

/// A frame as the ring kept it.
struct TracedFrame {
  std::int64_t number = 0;  ///< from 1, one by one
  MonoTime at{};            ///< of its last byte
  FrameVerdict verdict = FrameVerdict::kNoise;
  std::vector<std::uint8_t> bytes;  ///< the first FrameRing::kLongest
  std::size_t length = 0;           ///< of all its bytes
};

/// The last frames of one bus, so that a trace after a fault shows what was before it. The bus's thread adds, any
/// thread reads. Takes less than 256 KiB whatever comes: where kMostFrames long ones do not fit, fewer are kept.
class FrameRing : public BusObserver {
 public:
  static constexpr std::size_t kMostFrames = 1000;
  static constexpr std::size_t kMostBytes = 192 << 10;
  static constexpr std::size_t kLongest = 300;  ///< of noise without end; no frame is longer

  /// `bus` explains its frames; it may be made an observer of the ring later. Both outlive the ring.
  FrameRing(const Bus& bus, const Clock& clock) : bus_(bus), clock_(clock) {}

  void on_frame(FrameVerdict verdict, const std::uint8_t* bytes, std::size_t size) override;

  /// The frames behind number `after`, the oldest first, at most `max`.
  std::vector<TracedFrame> behind(std::int64_t after, std::size_t max) const;
  /// The same, each as one JSON object: {"n","at","dir","unit","function","length","check","verdict","protocol",
  /// "bytes"}. `n` is its number, `at` a wall time in microseconds by both clocks of now.
  std::vector<std::string> json_behind(std::int64_t after, std::size_t max) const;

 private:
  struct Entry {
    MonoTime at;
    std::uint32_t begin;
    std::uint32_t length;
    std::uint16_t size;
    FrameVerdict verdict;
  };
  void make_room(std::size_t size);
  void grow();

  const Bus& bus_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<Entry> entries_;
  std::vector<std::uint8_t> bytes_;  // a circle; grows up to kMostBytes as it is needed
  std::size_t used_ = 0;
  std::int64_t last_ = 0;
};

}  // namespace metergate
