#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace metergate {

/// An Ed25519 key (RFC 8032) that signatures are checked with. Immutable; any thread.
class VerifyKey {
 public:
  /// A PEM public key, as `openssl pkey -pubout` writes it. Errors: kInvalid, naming what is wrong but no content.
  static Result<VerifyKey> from_pem(const std::string& pem);

  bool is_signature(std::string_view text, std::string_view signature) const;

 private:
  explicit VerifyKey(std::shared_ptr<void> key) : key_(std::move(key)) {}
  std::shared_ptr<void> key_;
};

/// Of the file of --remote-key. Errors: kInvalid, naming the flag and the file.
Result<VerifyKey> read_verify_key(const std::string& path);

/// The 64 bytes of a signature by a PEM private key, as `openssl genpkey -algorithm ed25519` writes it. Errors:
/// kInvalid.
Result<std::string> sign(const std::string& private_pem, std::string_view text);

}  // namespace metergate
