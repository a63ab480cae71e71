#pragma once

#include <istream>
#include <ostream>

#include "agent/cli/agent_client.h"
#include "agent/cli/bus_reader.h"
#include "agent/config/options.h"

namespace metergate {

/// The one-shot subcommands. `out` gets the answer, `err` what is wrong or doubtful. They return the exit status.

constexpr int kUnreachable = 69;  // EX_UNAVAILABLE of sysexits.h

int run_profiles(const Invocation& invocation, std::ostream& out, std::ostream& err);

/// Touches no bus, creates nothing, works beside a running agent. 78 also when a bus needs more than all of
/// its time. With --broker see check_broker().
int run_check(const Invocation& invocation, std::ostream& out, std::ostream& err, const SendRequest& send,
              const Clock& clock);

/// The store of the running agent, or the file itself if no process has it (75). Waits 1 s to see how fast it drains.
int run_store(const Invocation& invocation, std::ostream& out, std::ostream& err, const SendRequest& send,
              const Clock& clock);

/// `pause` and `resume`. 64 for a bus that the agent does not have, 69 without an agent.
int run_pause(const Invocation& invocation, std::ostream& out, std::ostream& err, const SendRequest& send);

/// Signs the operation in `in` with the key of the file that `text` names. 64 for what is no operation, 78 for no key.
int run_sign(const Invocation& invocation, std::istream& in, std::ostream& out, std::ostream& err);

/// The frames of a bus of the running agent. With `follow` it ends when `out` fails or it is interrupted. 64 for a bus
/// that the agent does not have, 69 without an agent.
int run_trace(const Invocation& invocation, std::ostream& out, std::ostream& err, const SendRequest& send,
              const Clock& clock);

/// Through the running agent where it has the port. 69 when the port, the bus or a meter gives no answer. With `watch`
/// it ends when `out` fails.
int run_read(const Invocation& invocation, std::ostream& out, std::ostream& err, const BusTools& tools);
int run_read(const Invocation& invocation, std::ostream& out, std::ostream& err);

/// Looks for meters on the last bus of the options. `out` gets what is found and the flags for it, `err` how long it
/// takes and how far it is. 69 when no meter answers or the port cannot be had.
int run_scan(const Invocation& invocation, std::ostream& out, std::ostream& err, const BusTools& tools);
int run_scan(const Invocation& invocation, std::ostream& out, std::ostream& err);

}  // namespace metergate
