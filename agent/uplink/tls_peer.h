#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "agent/base/clock.h"

namespace metergate {

/// What a handshake that was verified tells.
struct TlsFacts {
  std::string version;               ///< "TLSv1.3"
  std::string peer;                  ///< the subject of the broker's certificate, as RFC 2253 writes it
  UtcTime peer_until{};              ///< when the broker's certificate ends,
  UtcTime authority_until{};         ///< that of the authority at the end of its chain,
  std::optional<UtcTime> own_until;  ///< and ours, if there is one
};

/// What every TLS client connection of this process is held to while this object lives: a verified chain, a certificate
/// for the host that is expected (a name or an address), TLS 1.2 or later, OpenSSL's security level 2 (no RSA below
/// 2048 bits, no SHA-1); and it names `host` in its hello (SNI, RFC 6066). One lives at a time.
///
/// Why: Paho C checks a certificate against the URI, so the URI would have to hold the name, and then Paho looks the
/// name up itself, under the lock that all its calls share, and always takes the first address. So Paho is given the
/// address, and lowers the level to 1 (1.3.12). The program defines SSL_connect, which Paho calls when it is done with
/// the SSL object; the definition sets what is wanted and calls OpenSSL's. Earlier is no time for it: from within
/// SSL_new the object is not complete (OpenSSL 3.2 and later end the process), after the handshake Paho has sent the
/// password.
class TlsPeer {
 public:
  /// Aborts if another one lives, or OpenSSL has no memory.
  TlsPeer();
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  /// Before each connection. `host` without brackets.
  void expect(const std::string& host);
  /// Whether a handshake since expect() ended with the peer verified. A connection without is not to be used.
  bool verified() const { return state_ == State::kVerified; }
  /// Why there was no such handshake since expect(), if the reason is known.
  std::optional<std::string> refusal() const;
  /// Of the handshake since expect(), while verified().
  std::optional<TlsFacts> facts() const;

 private:
  enum class State { kNone, kVerified, kRefused };
  friend struct TlsHandshake;
  std::string host_;
  bool is_name_ = true;
  TlsFacts facts_;  // complete before the state is kVerified, and then left alone
  std::atomic<State> state_{State::kNone};
  std::atomic<long> verdict_{0};           // X509_V_ERR_...
  std::atomic<int> alert_{0};              // fatal one of the peer's, as SSL_CTX_set_info_callback(3) gives it
  std::atomic<unsigned long> failure_{0};  // of the handshake, as ERR_peek_last_error(3) gives it
};

/// For a process without TLS, before its first MQTT client: keeps Paho C from loading OpenSSL's tables and texts, which
/// cost it 1.4 MiB of memory. What is left out so is never loaded again (OPENSSL_init_crypto(3)). Paho's own switch,
/// MQTTAsync_global_init of 1.3.12, also makes its mutexes others, and then every publish from a callback waits 2 s.
void leave_openssl_unloaded();

}  // namespace metergate
