#include "agent/bus/command_reading.h"

#include <utility>

namespace metergate {

namespace {
constexpr std::size_t kRefusedInVain = 2;
}  // namespace

CommandReading::CommandReading(const MeterConfig* meter, const CommandPlan& plan) : points_(plan.points) {
  if (meter != nullptr) {
    reader_.emplace(*meter);
    reader_->ask(points_, plan.blocks);
  } else if (!plan.blocks.empty()) {
    block_ = plan.blocks.front();
  }
}

std::optional<Block> CommandReading::next() const { return reader_ ? reader_->next() : block_; }

void CommandReading::answered(const Words& words, MonoTime now) {
  if (reader_) return reader_->answered(words, now);
  words_ = words;
  block_.reset();
}

bool CommandReading::failed(const Error& error, MonoTime now) {
  if (!reader_) {
    failure_ = error;
    block_.reset();
    return false;
  }
  if (reader_->failed(error, now)) return true;
  const bool in_vain = !reader_->any_answer() && reader_->failures().size() >= kRefusedInVain;
  return refused_block(error) && !in_vain;
}

std::optional<Failure> CommandReading::conclude(CommandResult& result) const {
  if (!reader_) {
    if (!words_) return failure_of(*failure_);
    result.registers = *words_;
    return std::nullopt;
  }
  if (!reader_->any_answer()) return failure_of(reader_->failures().back().second);
  for (const Point* point : points_) {
    const Result<Decoded>& decoded = reader_->value(*point);
    if (decoded) {
      result.values.emplace_back(point->name, decoded->value);
    } else {
      result.errors.emplace_back(point->name, failure_of(reader_->failure(*point).value_or(decoded.error())));
    }
  }
  if (!result.values.empty()) return std::nullopt;
  return result.errors.front().second;
}

}  // namespace metergate
