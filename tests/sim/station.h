#pragma once

#include <map>
#include <optional>
#include <string>

#include "tests/sim/faults.h"
#include "tests/sim/frame.h"
#include "tests/sim/item_meter.h"
#include "tests/sim/journal.h"
#include "tests/sim/meter.h"
#include "tests/sim/replay.h"
#include "tests/sim/stats.h"

namespace metersim {

/// A request as a line received it.
struct Arrival {
  std::string line;
  std::uint8_t unit = 0;
  Bytes pdu;
  Nanos now = 0;
  Nanos gap = 0;           ///< silence before it
  bool violation = false;  ///< it came before that silence was t3.5 long
  bool strict = false;     ///< then no meter takes it for a frame
  bool gateway = false;    ///< absent units are answered for (exception 11), as a TCP gateway does
};

/// A request for meters of data items.
struct ItemArrival {
  std::string line;
  ItemFrame frame;
  Nanos now = 0;
  Nanos gap = 0;
};

/// An answer on its way to a line.
struct Answer {
  Bytes pdu;
  Nanos turn = 0;
  Fault fault;
  Exchange exchange;
  bool whole = false;  ///< `pdu` is all that goes over the line
  bool refusal = false;
};

/// The meters, and what is known of every frame. Lines bring requests and say when an answer was sent.
class Station {
 public:
  Station(std::map<int, Meter> meters, std::vector<ItemMeter> item_meters, Replay replay, Journal& journal)
      : meters_(std::move(meters)),
        item_meters_(std::move(item_meters)),
        replay_(std::move(replay)),
        journal_(journal) {}

  bool has_item_meters() const { return !item_meters_.empty(); }
  /// What all meters that are called say at once; several damage each other.
  std::optional<Answer> request(const ItemArrival& arrival);

  std::optional<Answer> request(const Arrival& arrival);
  /// `start` is when its first byte began.
  void sent(const Answer& answer, Nanos start, Nanos ideal, Nanos jitter, Nanos now);
  /// An answer that never left, and why.
  void lost(const Answer& answer, const char* why, Nanos now);
  void foreign(const std::string& line, Nanos now) { journal_.note("foreign", line, now); }
  void note(const std::string& text, Nanos now) { journal_.note("control", text, now); }
  void garbage(const std::string& line, const Bytes& bytes, Nanos now);

  /// A fault, or `set=UNIT:TABLE:ADDRESS:VALUE[:VALUE...]`, `unset=UNIT`, `error=ADDRESS:ITEM:BITS`, `reset`
  /// (of the statistics). False: no such
  /// command. Throws Refused.
  bool apply(const std::string& command, Nanos now);

  LineStats& line(const std::string& name) { return stats_.lines[name]; }
  std::string stats_json() const { return stats_.json(meters_); }

 private:
  Meter& meter(const std::string& unit);

  ItemMeter& item_meter(const std::string& address);

  std::map<int, Meter> meters_;
  std::vector<ItemMeter> item_meters_;
  Replay replay_;
  Journal& journal_;
  Faults faults_;
  Stats stats_;
  std::uint64_t number_ = 0;
};

}  // namespace metersim
