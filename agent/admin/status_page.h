#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/admin/latest_values.h"
#include "agent/admin/status.h"
#include "agent/admin/status_history.h"
#include "agent/config/site.h"

namespace metergate {

/// What is wrong with the agent itself, a sentence each: a thread that hangs, a store that cannot be used. An absent
/// broker, bus or meter is no problem of the agent.
std::vector<std::string> problems_of(const Snapshot& snapshot, const std::vector<std::string>& hanging);

/// status_page.html: what stands around the tables, which go where it says `main`.
std::string_view status_page_frame();

/// One page of HTML that needs nothing else: tables and plots are in it, a script renews them every 5 s, without
/// scripts the page itself every 30 s. Whatever the names hold is escaped.
std::string status_page(const Snapshot& snapshot, const StatusHistory& history, const LatestValues& latest,
                        const Site& site, const std::vector<std::string>& problems);

}  // namespace metergate
