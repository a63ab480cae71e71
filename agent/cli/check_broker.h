#pragma once

#include <ostream>

#include "agent/cli/agent_client.h"
#include "agent/config/options.h"

namespace metergate {

/// `check --broker`: what each address of the broker comes to. Of the running agent if it has the same client id, else
/// by connections of its own, see check_links(). `out` gets a table an address, or with --json what links_json() makes.
/// The exit status: 0, 69 if no address would do, 75 if a process that cannot be asked has the store, 78 for files that
/// cannot be used.
int check_broker(const Invocation& invocation, const SendRequest& send, const Clock& clock, std::ostream& out,
                 std::ostream& err);

/// One link of links_json(), for people.
void print_link(const Json& link, const std::string& scheme, std::ostream& out);

}  // namespace metergate
