#pragma once

#include <memory>

#include "agent/config/options.h"
#include "agent/uplink/byte_stream.h"
#include "agent/uplink/tls_peer.h"

namespace metergate {

/// Whether the files of --ca-file, --cert-file and --key-file can be used. Errors: kInvalid naming flag and file.
Status check_tls_files(const UplinkOptions& options);

/// TLS over a connected socket that does not block, with the files of the options, and held to what `peer` says: call
/// its expect() before. Errors: kInvalid (the files), kTimeout, kBusDown (no handshake; peer.refusal() may say why).
Result<std::unique_ptr<ByteStream>> make_tls_stream(Fd socket, const UplinkOptions& options, const TlsPeer& peer,
                                                    MonoTime until, const Clock& clock);

}  // namespace metergate
