#include "agent/uplink/tls_peer.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <memory>
#include <utility>

namespace metergate {

namespace {

struct Deleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(ASN1_OCTET_STRING* text) const { ASN1_OCTET_STRING_free(text); }
};

bool is_address(const std::string& host) {
  return std::unique_ptr<ASN1_OCTET_STRING, Deleter>(a2i_IPADDRESS(host.c_str())) != nullptr;
}

/// The place in every SSL object where its TlsPeer stands. One for the life of the process: a place given back could be
/// taken by another user while SSL objects live.
int peer_slot() {
  static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return slot;
}

std::string openssl_error() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason == nullptr ? "not usable" : reason;
}

int no_passphrase(char* buffer, int size, int writing, void* context) {
  static_cast<void>(buffer), static_cast<void>(size), static_cast<void>(writing), static_cast<void>(context);
  return 0;
}

}  // namespace

namespace {

std::atomic<TlsPeer*> current{nullptr};

/// Alerts of RFC 8446, 6.2, by which a server tells that it does not like the client's certificate, or its lack.
bool is_about_certificate(int alert) {
  switch (alert & 0xff) {
    case SSL3_AD_BAD_CERTIFICATE:
    case SSL3_AD_UNSUPPORTED_CERTIFICATE:
    case SSL3_AD_CERTIFICATE_REVOKED:
    case SSL3_AD_CERTIFICATE_EXPIRED:
    case SSL3_AD_CERTIFICATE_UNKNOWN:
    case SSL3_AD_HANDSHAKE_FAILURE:
    case TLS1_AD_UNKNOWN_CA:
    case TLS1_AD_ACCESS_DENIED:
    case TLS13_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct TlsHandshake {
  /// The SSL object is complete and not used yet. Anything that cannot be set would let anybody in.
  static void begin(SSL* ssl) {
    TlsPeer* const peer = current;
    if (peer == nullptr || SSL_in_before(ssl) == 0) return;  // SSL_connect is called again until the handshake is done
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool held = SSL_set_ex_data(ssl, peer_slot(), peer) == 1 && SSL_set1_host(ssl, peer->host_.c_str()) == 1 &&
                      SSL_set_min_proto_version(ssl, TLS1_2_VERSION) == 1;
    if (!held) std::abort();
    SSL_set_security_level(ssl, 2);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
    SSL_set_info_callback(ssl, on_state);
    // SSL_set_tlsext_host_name(3), written out: it casts away a const. Paho has set the address.
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             peer->is_name_ ? peer->host_.data() : nullptr);
  }

  /// Reads OpenSSL's errors and leaves them to Paho.
  static void end(SSL* ssl, int result) {
    auto* const peer = static_cast<TlsPeer*>(SSL_get_ex_data(ssl, peer_slot()));
    if (peer == nullptr || result > 0 || SSL_get_error(ssl, result) != SSL_ERROR_SSL) return;
    peer->failure_ = ERR_peek_last_error();
    peer->state_ = TlsPeer::State::kRefused;
  }

  static void on_state(const SSL* ssl, int where, int result) {
    auto* const peer = static_cast<TlsPeer*>(SSL_get_ex_data(ssl, peer_slot()));
    if (peer == nullptr) return;
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (result >> 8) == SSL3_AL_FATAL) {
      // In TLS 1.3 a server judges the client's certificate when the client's own handshake is done already.
      peer->alert_ = result;
      peer->state_ = TlsPeer::State::kRefused;
    } else if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
      const bool named = SSL_get_verify_result(ssl) == X509_V_OK && SSL_get0_peer_certificate(ssl) != nullptr;
      peer->state_ = named ? TlsPeer::State::kVerified : TlsPeer::State::kRefused;
    } else if ((where & SSL_CB_EXIT) != 0 && result <= 0 && SSL_get_verify_result(ssl) != X509_V_OK) {
      peer->verdict_ = SSL_get_verify_result(ssl);
      peer->state_ = TlsPeer::State::kRefused;
    }
  }
};

TlsPeer::TlsPeer() {
  TlsPeer* none = nullptr;
  if (peer_slot() < 0 || !current.compare_exchange_strong(none, this)) std::abort();
}

TlsPeer::~TlsPeer() { current = nullptr; }

void TlsPeer::expect(const std::string& host) {
  host_ = host;
  is_name_ = !is_address(host);
  state_ = State::kNone;
  verdict_ = X509_V_OK;
  alert_ = 0;
  failure_ = 0;
}

std::optional<std::string> TlsPeer::refusal() const {
  if (state_ != State::kRefused) return std::nullopt;
  if (const int alert = alert_; alert != 0) {
    return std::string("the broker refuses this client by TLS: ") + SSL_alert_desc_string_long(alert) +
           (is_about_certificate(alert) ? "; see --cert-file" : "");
  }
  if (const long verdict = verdict_; verdict != X509_V_OK) {
    return "the certificate is not that of '" + host_ +
           "' or not to be trusted: " + X509_verify_cert_error_string(verdict);
  }
  if (ERR_GET_REASON(failure_) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return "the other side ends the connection at the TLS hello; a port without TLS wants mqtt:// instead of mqtts://";
  }
  if (ERR_GET_REASON(failure_) == SSL_R_WRONG_VERSION_NUMBER) {
    return "the other side does not answer by TLS; a port without TLS wants mqtt:// instead of mqtts://";
  }
  const char* reason = ERR_reason_error_string(failure_);
  return std::string("the TLS handshake failed: ") + (reason == nullptr ? "no reason is known" : reason);
}

Status check_tls_files(const UplinkOptions& options) {
  const std::unique_ptr<SSL_CTX, Deleter> context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return Error{Errc::kInvalid, "OpenSSL cannot be used: " + openssl_error()};
  SSL_CTX_set_default_passwd_cb(context.get(), no_passphrase);
  const auto bad = [](const std::string& flag, const std::string& file, const std::string& wanted) {
    return Error{Errc::kInvalid, flag + " " + file + ": " + openssl_error() + "; " + wanted};
  };
  const std::string& cert = options.cert_file;
  const std::string& key = options.key_file.empty() ? cert : options.key_file;
  if (!options.ca_file.empty() && SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) != 1) {
    return bad("--ca-file", options.ca_file, "a PEM file with the certificates of the authorities is wanted");
  }
  if (cert.empty()) {
    if (options.key_file.empty()) return {};
    return Error{Errc::kInvalid, "--key-file " + key + ": a key without --cert-file"};
  }
  if (SSL_CTX_use_certificate_chain_file(context.get(), cert.c_str()) != 1) {
    return bad("--cert-file", cert, "a PEM file with this gateway's certificate, then those of its issuers, is wanted");
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return bad("--key-file", key, "the PEM key of --cert-file without a passphrase is wanted");
  }
  return {};
}

void leave_openssl_unloaded() {
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_SSL_STRINGS | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
                       OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_LOAD_CONFIG,
                   nullptr);
}

}  // namespace metergate

/// Instead of OpenSSL's, which it calls: see TlsPeer.
extern "C" __attribute__((visibility("default"))) int SSL_connect(SSL* ssl) {
  using Connect = int (*)(SSL*);
  static const auto next = reinterpret_cast<Connect>(::dlsym(RTLD_NEXT, "SSL_connect"));
  if (next == nullptr) std::abort();
  metergate::TlsHandshake::begin(ssl);
  const int result = next(ssl);
  metergate::TlsHandshake::end(ssl, result);
  return result;
}
