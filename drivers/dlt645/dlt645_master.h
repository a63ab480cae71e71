#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "drivers/bus.h"
#include "drivers/dlt645/frame.h"
#include "drivers/dlt645/open_questions.h"
#include "drivers/port/bus_tally.h"
#include "drivers/port/port.h"
#include "drivers/port/response_times.h"

namespace metergate {

/// Asks DL/T 645 meters (2007, and the reads of 1997) over a port that others may use, too: it neither opens nor closes
/// it, but on a socket that was closed in between. Not for several threads; every call bounded as Bus's.
///
/// A frame is searched in whatever is heard until the deadline, so noise, FEs and frames of others cost nothing. The
/// answer is known by address, function and item (drivers/dlt645/open_questions.h says what that leaves open). A value
/// of several frames is one transaction.
class Dlt645Master {
 public:
  /// From one byte of an answer to the next (DL/T 645-2007, as public references give it: Tb).
  static constexpr Millis kByteTimeout{500};
  /// Before a request. The standard asks for none; transceivers need a moment to let go of the line.
  static constexpr Nanos kSilence = std::chrono::milliseconds(1);
  static constexpr int kMostParts = 16;

  /// All outlive it.
  Dlt645Master(const BusSettings& settings, Port& port, const Clock& clock)
      : settings_(settings), port_(port), clock_(clock) {}

  /// As Bus::read, of Table::kItem: the bytes behind the identifier. Errors also: kException, an error word.
  Result<Words> read(const Target& target, const Block& block);

  /// As Bus::write: the relay, with a password, and the clock. Both begin with a read of the meter's clock, which has
  /// to be right to kLargestError: the relay's order ends by it. A clock is set once in kClockPause, and not around
  /// midnight, when the day's values are taken. Errors of what was not sent: kInvalid, whose detail begins with its
  /// code (clock_unsynced, refused, not_authorised: this password was refused before).
  WriteOutcome write(const Target& target, const Write& write);
  static constexpr Millis kLargestError{300'000};
  static constexpr Millis kClockPause{86'400'000};
  static constexpr Millis kLongestOrder{600'000};  ///< from now to the end of an order's validity

  void observe(BusObserver* observer) { observer_ = observer; }
  /// Nothing: the bytes are none of its frames.
  static std::optional<FrameText> explain(const std::uint8_t* bytes, std::size_t size);

  std::optional<Turnaround> turnaround(const Target& target) const;
  BusCounters counters() const { return tally_.counters(); }

  /// Takes frames of this family out of what was heard unasked.
  void hear(Bytes* strays);
  /// What this family heard and does not know is shown to the others on the line.
  std::function<void(const Bytes&)> unknown = [](const Bytes&) {};

 private:
  struct Peer {
    std::string address;
    const LineMode* line;
    Nanos timeout;
    Nanos gap;
    bool of_1997;
    int preamble;
    Millis utc_offset;
  };
  struct Request {
    Dlt645Question question;
    Bytes data;                    ///< behind the control code
    std::size_t answer_bytes = 0;  ///< expected, for the deadline
    std::string text;
    bool is_guard = false;
  };

  struct Known {
    OpenQuestions open;
    bool doubtful = false;  ///< its last error may have been a late one
    ResponseTimes times;
    bool locked = false;                ///< it refused the password
    std::optional<MonoTime> clock_set;  ///< the last time
  };
  static constexpr std::size_t kMostKnown = 4096;

  Result<Peer> peer(const Target& target) const;
  Known& known(const std::string& address);
  Request read_request(const Peer& peer, std::uint32_t item, std::size_t bytes) const;
  Status ready(const Peer& peer);
  /// One request and its answer.
  Result<Dlt645Frame> ask(const Peer& peer, const Request& request);
  Result<Dlt645Frame> await(const Peer& peer, const Request& request, const Bytes& sent);
  /// Asks something whose answer shows that the meter is past everything open.
  Status pass_late_answers(const Peer& peer, std::optional<std::uint32_t> besides);
  Result<UtcTime> read_clock(const Peer& peer);
  Result<Request> relay_request(const Peer& peer, const Target& target, const Write& write);
  Result<Request> clock_request(const Peer& peer, const Write& write);
  void show(FrameVerdict verdict, Bytes bytes) const;
  Status read_parts(const Peer& peer, const Request& first, Bytes* value);
  /// The item in front of an answer's data; none: too short, or no read.
  static std::optional<std::uint32_t> item_of(const Dlt645Frame& frame);
  FrameVerdict note_stranger(const Dlt645Frame& frame);
  Error silence(const Peer& peer, const Request& request, const Bytes& heard, const std::string& strangers) const;
  std::string where(const Peer& peer, const Request& request) const;

  const BusSettings& settings_;
  Port& port_;
  const Clock& clock_;
  MonoTime asked_{};
  std::int64_t asks_ = 0;               // requests of which a byte may have left
  Bytes rest_;                          // heard behind the last answer
  std::map<std::string, Known> known_;  // by address
  BusTally tally_;
  BusObserver* observer_ = nullptr;
};

}  // namespace metergate
