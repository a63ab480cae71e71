#include "agent/bus/command_reading.h"

#include <algorithm>
#include <utility>

namespace metergate {

namespace {
constexpr std::size_t kRefusedInVain = 2;
}  // namespace

CommandReading::CommandReading(const MeterConfig* meter, const CommandPlan& plan) : points_(plan.points) {
  if (meter != nullptr) {
    reader_.emplace(*meter);
    reader_->ask(points_, plan.blocks);
  } else {
    blocks_ = plan.blocks;
  }
}

std::optional<Block> CommandReading::next() const {
  if (reader_) return reader_->next();
  return answers_.size() < blocks_.size() ? std::optional(blocks_[answers_.size()]) : std::nullopt;
}

void CommandReading::answered(const Words& words, MonoTime now) {
  if (reader_) return reader_->answered(words, now);
  answers_.emplace_back(words);
}

bool CommandReading::failed(const Error& error, MonoTime now) {
  if (!reader_) {
    answers_.emplace_back(error);
    // Others of the items may be there.
    const bool any = std::any_of(answers_.begin(), answers_.end(), [](const auto& answer) { return bool(answer); });
    return from_meter(error) && (any || next());
  }
  if (reader_->failed(error, now)) return true;
  const bool in_vain = !reader_->any_answer() && reader_->failures().size() >= kRefusedInVain;
  return refused_block(error) && !in_vain;
}

std::optional<Failure> CommandReading::conclude_route(CommandResult& result) const {
  const auto answered = std::find_if(answers_.begin(), answers_.end(), [](const auto& a) { return bool(a); });
  if (answered == answers_.end()) return failure_of(answers_.front().error());
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    const std::string name = item_name(blocks_[i]);
    if (blocks_[i].table != Table::kItem) {
      result.registers = *answers_[i];
    } else if (answers_[i]) {
      result.items.emplace_back(name, *answers_[i]);
    } else {
      result.errors.emplace_back(name, failure_of(answers_[i].error()));
    }
  }
  return std::nullopt;
}

std::optional<Failure> CommandReading::conclude(CommandResult& result) const {
  if (!reader_) {
    return conclude_route(result);
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
