#include "drivers/profile/plan.h"

#include <algorithm>
#include <limits>
#include <set>

#include "drivers/profile/item_plan.h"

namespace metergate {

namespace {

/// Registers or bits from `first` to before `end`.
struct Span {
  int first = 0;
  int end = 0;
  int size() const { return end - first; }
  bool operator<(const Span& o) const { return first != o.first ? first < o.first : end < o.end; }
};

std::vector<Span> spans_of(const Point& point) {
  std::vector<Span> spans;
  for (const int address : point.addresses) spans.push_back({address, address + point.registers});
  return spans;
}

/// Runs of values that overlap, sorted: a block may start and end between them, not inside.
std::vector<Span> merged(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end());
  std::vector<Span> runs;
  for (const Span& span : spans) {
    if (!runs.empty() && span.first < runs.back().end) {
      runs.back().end = std::max(runs.back().end, span.end);
    } else {
      runs.push_back(span);
    }
  }
  return runs;
}

/// The registers of a table that are read alike.
struct Registers {
  Table table;
  int bytes;
  bool operator==(const Registers& o) const { return table == o.table && bytes == o.bytes; }
};

Registers registers_at(const Point& point) { return {point.table, point.register_bytes}; }

/// The reads of one table.
class TablePlan {
 public:
  TablePlan(const Profile& profile, const Registers& registers, const PlanCost& cost, const std::vector<Block>& refused)
      : registers_(registers),
        limit_(limit_of(registers, std::min(profile.max_registers, cost.max_registers))),
        hole_(profile.hole.value_or(std::numeric_limits<int>::max())),
        request_(cost.request_registers) {
    for (const Block& block : refused) {
      if (block.table == registers.table) refused_.push_back({block.address, block.address + block.count});
    }
    std::vector<Span> spans;
    for (const Point& point : profile.points) {
      if (!(registers_at(point) == registers)) continue;
      for (const Span& span : spans_of(point)) {
        if (!is_refused(span)) spans.push_back(span);
      }
    }
    covered_ = merged(std::move(spans));
  }

  /// Dynamic programming: the cheapest reads of the first n units follow from those of the first m < n and one block.
  void add_blocks(const std::vector<Span>& wanted, std::vector<Block>* out) const {
    const std::vector<Span> units = units_of(wanted);
    std::vector<bool> joins(units.size());  // whether a unit may share a read with the one before it
    for (std::size_t i = 1; i < units.size(); ++i) joins[i] = may_join(units[i - 1], units[i]);
    struct Best {
      double cost = 0;
      int reads = 0;
      std::size_t from = 0;
      int end = 0;
    };
    std::vector<Best> best(1);
    for (std::size_t n = 1; n <= units.size(); ++n) {
      Best found{std::numeric_limits<double>::infinity(), 0, 0, 0};
      int end = 0;
      for (std::size_t m = n; m-- > 0;) {
        if (m + 1 < n && !joins[m + 1]) break;
        end = std::max(end, units[m].end);
        const int length = end - units[m].first;
        if (length > limit_ && m + 1 < n) break;
        const double cost = best[m].cost + request_ + length_in_words(length);
        const int reads = best[m].reads + 1;
        if (cost < found.cost || (cost <= found.cost && reads < found.reads)) found = {cost, reads, m, end};
      }
      best.push_back(found);
    }
    const auto first = static_cast<std::ptrdiff_t>(out->size());
    for (std::size_t n = units.size(); n > 0; n = best[n].from) {
      const int start = units[best[n].from].first;
      out->push_back({registers_.table, static_cast<std::uint16_t>(start),
                      static_cast<std::uint16_t>(best[n].end - start), registers_.bytes});
    }
    std::reverse(out->begin() + first, out->end());
  }

 private:
  static int limit_of(const Registers& registers, int max_registers) {
    const int most = most_per_request(registers.table, registers.bytes);
    return is_bits(registers.table) ? most : std::min(most, max_registers);
  }
  double length_in_words(int length) const {
    return is_bits(registers_.table) ? length / 16.0 : length * registers_.bytes / kRegisterBytes;
  }

  /// What cannot be divided: the runs that hold something wanted. One wider than a read only by its wanted values.
  std::vector<Span> units_of(const std::vector<Span>& wanted) const {
    std::set<Span> units;
    for (const Span& span : wanted) {
      const auto run = std::find_if(covered_.begin(), covered_.end(), [&](const Span& r) { return span.end <= r.end; });
      const bool whole = run != covered_.end() && run->first <= span.first && run->size() <= limit_;
      units.insert(whole ? *run : span);
    }
    return {units.begin(), units.end()};
  }

  bool is_refused(const Span& span) const {
    return std::any_of(refused_.begin(), refused_.end(),
                       [&span](const Span& r) { return r.first < span.end && span.first < r.end; });
  }

  bool may_join(const Span& left, const Span& right) const {
    for (const Span& r : refused_) {
      const bool crossed = r.size() == 0 && left.first < r.first && r.first <= right.first;
      const bool between = r.size() > 0 && r.first < right.first && left.end < r.end;
      if (crossed || between) return false;
    }
    int open = left.end;  // up to here everything belongs to a point, or is a hole that may be read over
    for (const Span& run : covered_) {
      if (run.end <= open || run.first >= right.first) continue;
      if (run.first - open > hole_) return false;
      open = run.end;
    }
    return right.first - open <= hole_;
  }

  Registers registers_;
  int limit_;
  int hole_;
  double request_;
  std::vector<Span> covered_;
  std::vector<Span> refused_;
};

void add_with_dependencies(const Profile& profile, const Point* point, std::vector<const Point*>* out) {
  if (std::find(out->begin(), out->end(), point) != out->end()) return;
  out->push_back(point);
  for (const std::string* name : {&point->exponent_point, &point->times_point, &point->sign_point}) {
    if (const Point* other = name->empty() ? nullptr : profile.find(*name)) add_with_dependencies(profile, other, out);
  }
}

}  // namespace

std::vector<const Point*> with_dependencies(const Profile& profile, const std::vector<const Point*>& points) {
  std::vector<const Point*> all;
  for (const Point* point : points) add_with_dependencies(profile, point, &all);
  return all;
}

std::vector<Block> registers_of(const Point& point) {
  if (point.table == Table::kItem) return point.places;
  std::vector<Block> blocks;
  for (const std::uint16_t address : point.addresses) {
    blocks.push_back({point.table, address, static_cast<std::uint16_t>(point.registers), point.register_bytes});
  }
  return blocks;
}

bool overlaps(const Block& a, const Block& b) {
  return a.is_beside(b) && a.address < b.address + b.count && b.address < a.address + a.count;
}

std::vector<Block> halves_of(const Block& block, const std::vector<const Point*>& points) {
  if (block.table == Table::kItem) return singles_of(block, points);
  std::vector<Span> values;
  for (const Point* point : points) {
    for (const Block& registers : registers_of(*point)) {
      const Span span{registers.address, registers.address + registers.count};
      const bool inside = block.address <= span.first && span.end <= block.address + block.count;
      if (registers.is_beside(block) && inside) values.push_back(span);
    }
  }
  std::sort(values.begin(), values.end(),
            [](const Span& a, const Span& b) { return a.first != b.first ? a.first < b.first : a.end > b.end; });
  std::vector<Span> widest;  // their firsts and their ends both grow, so each half is narrower than the whole
  for (const Span& span : values) {
    if (widest.empty() || widest.back().end < span.end) widest.push_back(span);
  }
  const auto block_of = [&](std::size_t from, std::size_t to) {
    const int first = widest[from].first;
    return Block{block.table, static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(widest[to - 1].end - first),
                 block.register_bytes};
  };
  const std::size_t n = widest.size();
  if (n > 1) return {block_of(0, n / 2), block_of(n / 2, n)};
  if (n == 0 || block_of(0, 1) == block) return {};
  return {block_of(0, 1)};
}

std::vector<Block> plan_blocks(const Profile& profile, const std::vector<const Point*>& points, const PlanCost& cost,
                               const std::vector<Block>& refused) {
  std::vector<Block> blocks;
  const auto needed = with_dependencies(profile, points);
  for (const Table table : {Table::kCoil, Table::kDiscrete, Table::kInput, Table::kHolding}) {
    for (const int bytes : {2, 4}) {
      const Registers registers{table, bytes};
      std::vector<Span> wanted;
      for (const Point* point : needed) {
        if (!(registers_at(*point) == registers)) continue;
        for (const Span& span : spans_of(*point)) wanted.push_back(span);
      }
      if (!wanted.empty()) TablePlan(profile, registers, cost, refused).add_blocks(wanted, &blocks);
    }
  }
  add_item_reads(needed, refused, &blocks);
  return blocks;
}

}  // namespace metergate
