#pragma once

#include <vector>

#include "drivers/profile/profile.h"

namespace metergate {

/// What decides whether reading over a hole is cheaper than a second request.
struct PlanCost {
  int max_registers = kMostRegisters;  ///< of the meter, already lowered by --meter's max-registers
  /// What one more request costs, in registers' wire time: (13 Tc + turnaround + t3.5) / 2 Tc.
  /// 0: never over what was not asked for.
  double request_registers = 26;
};

/// The registers that each point needs (its parts, and the points that scale it, included) in the reads that cost
/// least, the fewest of equal cost, sorted by table and address. A read costs request_registers plus its length; 16
/// bits cost what a register does.
/// - A value is never split over two reads, and no block starts or ends inside any value of the profile, asked for or
///   not. Where overlapping points together are wider than a read, only the values asked for are kept whole.
/// - A read has at most max_registers, cost's and the profile's, or 2000 bits. A value wider than that is read alone:
///   a profile with such a point is refused, and where --meter lowers the limit its reader refuses.
/// - What other points of the profile cover may be read over where that is cheaper. A hole, registers that no point
///   covers, only up to Profile::hole in a row.
/// - `refused`: registers that the meter refused are not read over, and a block of no registers is an address that no
///   read may cross. What is asked for is read all the same.
std::vector<Block> plan_blocks(const Profile& profile, const std::vector<const Point*>& points, const PlanCost& cost,
                               const std::vector<Block>& refused = {});

/// What to ask instead of a block that was refused, so that the values of `points` in it that can be read are: its
/// halves by values, or one narrower block; nothing when it is one value already. Values inside others go with them.
/// (Of a block of data items: each of them by itself.)
std::vector<Block> halves_of(const Block& block, const std::vector<const Point*>& points);

/// Points, and the ones that their values depend on.
std::vector<const Point*> with_dependencies(const Profile& profile, const std::vector<const Point*>& points);

/// The part-blocks of one point (several with parts=), to tell which reads carry it. Of a point of a data item its own
/// bytes; a block that gives them, too, is Point::in_block.
std::vector<Block> registers_of(const Point& point);

bool overlaps(const Block& a, const Block& b);

}  // namespace metergate
