#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/base/json.h"
#include "store/store_view.h"

namespace metergate {

/// Which page of what the store holds.
struct StorePageRequest {
  enum class What { kDrops, kDeadLetters, kCommands, kRecords };
  What what = What::kDrops;
  std::int64_t after = 0;           ///< the `next` of the page before; 0: the first page
  Lane lane = Lane::kReadings;      ///< records
  std::optional<UtcTime> from, to;  ///< records
};

/// From a request on the control socket: what ("drops", "dead", "commands" or "records"), after, lane, from, to.
/// Errors: kInvalid.
Result<StorePageRequest> parse_store_request(const Json& request);
/// The request for the control socket, `ask` included.
std::string store_request_json(const StorePageRequest& request);

/// A page as the control socket gives it: a line {"lines":n,"next":key} and n lines of JSON, or an error. Records are
/// given as they were sent. `next` 0: that was the last page. Waits for the store.
std::string store_page(StoreView& store, const StorePageRequest& request);

}  // namespace metergate
