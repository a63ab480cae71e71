#pragma once

namespace metergate {

/// From now on the first SIGINT or SIGTERM only asks for the end; a second one ends the process. For a process without
/// an agent.
void watch_interrupts();
/// Whether the end was asked for.
bool interrupted();

}  // namespace metergate
