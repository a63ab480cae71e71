#pragma once

#include <string>

#include "agent/base/json.h"
#include "store/store_view.h"

namespace metergate {

/// A page of what the store holds, as the local socket gives it: a line {"lines":n,"next":key} and n lines of JSON.
/// The question: what ("drops", "dead", "commands" or "records"), after (the `next` of the page before), and for
/// records lane, from and to. Records are given as they were sent. `next` 0: that was the last page.
std::string store_page(StoreView& store, const Json& question);

}  // namespace metergate
