#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "agent/base/result.h"
#include "agent/config/options.h"

namespace metergate {

/// What every TLS client connection of this process is held to while this object lives: a verified chain, a certificate
/// for `host` (a name or an address), TLS 1.2 or later; and it names `host` in its hello (SNI, RFC 6066).
///
/// Why: Paho C 1.3.12 checks a certificate against the URI, so the URI would have to hold the name, and then Paho looks
/// the name up itself, under the lock that all its calls share, and always takes the first address. So Paho is given
/// the address, and OpenSSL is told the name when Paho makes its SSL object (SSL_get_ex_new_index(3): called by
/// SSL_new).
class TlsPeer {
 public:
  /// `host` without brackets. Aborts if OpenSSL has no memory for it.
  explicit TlsPeer(std::string host);
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  /// Before each connection.
  void expect();
  /// Whether a handshake since expect() ended with the peer verified. A connection without is not to be used.
  bool verified() const { return state_ == State::kVerified; }
  /// Why the peer was refused since expect(), or refused us, if so.
  std::optional<std::string> refusal() const;

 private:
  enum class State { kNone, kVerified, kRefused };
  struct Hooks;
  std::string host_;
  bool is_name_;
  int hook_;
  std::atomic<State> state_{State::kNone};
  std::atomic<long> verdict_{0};  // X509_V_ERR_...
  std::atomic<int> alert_{0};     // fatal one of the peer's, as SSL_CTX_set_info_callback(3) gives it
};

/// Whether the files of --ca-file, --cert-file and --key-file can be used. Errors: kInvalid naming flag and file.
Status check_tls_files(const UplinkOptions& options);

/// For a process without TLS, before its first MQTT client: keeps Paho C from loading OpenSSL's tables and texts, which
/// cost it 1.4 MiB of memory. What is left out so is never loaded again (OPENSSL_init_crypto(3)). Paho's own switch,
/// MQTTAsync_global_init of 1.3.12, also makes its mutexes others, and then every publish from a callback waits 2 s.
void leave_openssl_unloaded();

}  // namespace metergate
