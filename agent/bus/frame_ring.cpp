#include "agent/bus/frame_ring.h"

#include <algorithm>

#include "agent/base/hex.h"
#include "agent/base/json.h"
#include "agent/base/rfc3339.h"

namespace metergate {

namespace {

constexpr std::size_t kFirstBytes = 8 << 10;

/// `at` with microseconds.
std::string exact_time(MonoTime at, const Moment& now) {
  const auto utc = now.utc.time_since_epoch() + std::chrono::duration_cast<Micros>(at - now.mono);
  const auto whole = std::chrono::floor<Millis>(utc);
  std::string micros = std::to_string((utc - whole).count());
  micros.insert(0, 3 - micros.size(), '0');
  std::string text = rfc3339(UtcTime{whole});
  text.insert(text.size() - 1, micros);
  return text;
}

const char* verdict_name(FrameVerdict verdict) {
  switch (verdict) {
    case FrameVerdict::kRequest:
      return "request";
    case FrameVerdict::kGuard:
      return "guard";
    case FrameVerdict::kAnswer:
      return "answer";
    case FrameVerdict::kEcho:
      return "echo";
    case FrameVerdict::kLate:
      return "late";
    case FrameVerdict::kForeign:
      return "foreign";
    case FrameVerdict::kNoise:
      break;
  }
  return "noise";
}

bool is_sent(FrameVerdict verdict) { return verdict == FrameVerdict::kRequest || verdict == FrameVerdict::kGuard; }

std::string json_of(const TracedFrame& frame, const FrameText& text, const Moment& now) {
  JsonWriter json;
  json.begin_object().member("n", frame.number).member("at", exact_time(frame.at, now));
  json.member("dir", std::string(is_sent(frame.verdict) ? "out" : "in"));
  const bool whole = frame.verdict != FrameVerdict::kNoise;
  if (whole && !text.address.empty()) json.member("address", text.address);
  if (whole && text.unit) json.member("unit", *text.unit);
  if (whole && text.function) json.member("function", *text.function);
  json.member("length", frame.length);
  if (whole && text.sum_right) json.member("check", std::string(*text.sum_right ? "ok" : "wrong"));
  json.member("verdict", std::string(verdict_name(frame.verdict))).member("protocol", text.protocol);
  json.member("bytes", to_hex(frame.bytes.data(), frame.bytes.size()));
  return json.end_object().take();
}

}  // namespace

void FrameRing::on_frame(FrameVerdict verdict, const std::uint8_t* bytes, std::size_t size) {
  const MonoTime now = clock_.mono();
  const std::lock_guard<std::mutex> hold(mutex_);
  const std::size_t kept = std::min(size, kLongest);
  make_room(kept);
  const std::size_t begin = entries_.empty() ? 0 : (entries_.back().begin + entries_.back().size) % bytes_.size();
  const std::size_t behind = std::min(kept, bytes_.size() - begin);
  std::copy_n(bytes, behind, bytes_.begin() + static_cast<std::ptrdiff_t>(begin));
  std::copy_n(bytes + behind, kept - behind, bytes_.begin());
  entries_.push_back({now, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(size),
                      static_cast<std::uint16_t>(kept), verdict});
  used_ += kept;
  ++last_;
}

void FrameRing::make_room(std::size_t size) {
  while (entries_.size() >= kMostFrames || used_ + size > bytes_.size()) {
    if (entries_.size() < kMostFrames && bytes_.size() < kMostBytes) {
      grow();
      continue;
    }
    used_ -= entries_.front().size;
    entries_.pop_front();
  }
}

/// Puts the oldest at the beginning.
void FrameRing::grow() {
  std::vector<std::uint8_t> larger(std::min(kMostBytes, std::max(kFirstBytes, 2 * bytes_.size())));
  std::size_t at = 0;
  for (Entry& entry : entries_) {
    for (std::size_t i = 0; i < entry.size; ++i) larger[at + i] = bytes_[(entry.begin + i) % bytes_.size()];
    entry.begin = static_cast<std::uint32_t>(at);
    at += entry.size;
  }
  bytes_ = std::move(larger);
}

std::vector<TracedFrame> FrameRing::behind(std::int64_t after, std::size_t max) const {
  const std::lock_guard<std::mutex> hold(mutex_);
  std::vector<TracedFrame> frames;
  const auto first = last_ - static_cast<std::int64_t>(entries_.size()) + 1;
  const auto skip = static_cast<std::size_t>(std::max<std::int64_t>(0, after + 1 - first));
  for (std::size_t i = skip; i < entries_.size() && frames.size() < max; ++i) {
    const Entry& entry = entries_[i];
    TracedFrame& frame = frames.emplace_back();
    frame.number = first + static_cast<std::int64_t>(i);
    frame.at = entry.at;
    frame.verdict = entry.verdict;
    frame.length = entry.length;
    frame.bytes.reserve(entry.size);
    for (std::size_t k = 0; k < entry.size; ++k) frame.bytes.push_back(bytes_[(entry.begin + k) % bytes_.size()]);
  }
  return frames;
}

std::vector<std::string> FrameRing::json_behind(std::int64_t after, std::size_t max) const {
  const Moment now = moment_of(clock_);
  std::vector<std::string> lines;
  for (const TracedFrame& frame : behind(after, max)) {
    const FrameText text = bus_.explain(frame.bytes.data(), frame.bytes.size());
    lines.push_back(json_of(frame, text, now));
  }
  return lines;
}

}  // namespace metergate
