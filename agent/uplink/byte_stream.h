#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/base/fd.h"
#include "agent/base/result.h"

namespace metergate {

/// Bytes to and from one peer. One thread.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// All of it. Errors: kTimeout (not by `until`), kBusDown (the peer ended the connection).
  virtual Status write(std::string_view bytes, MonoTime until) = 0;
  /// What has come, at least one byte. Errors: as of write().
  virtual Result<std::string> read(MonoTime until) = 0;
};

/// `socket`: connected, does not block.
std::unique_ptr<ByteStream> make_plain_stream(Fd socket, const Clock& clock);

/// False: `until` came first. Also true when the socket has failed.
bool wait_for_socket(int socket, short events, MonoTime until, const Clock& clock);

}  // namespace metergate
