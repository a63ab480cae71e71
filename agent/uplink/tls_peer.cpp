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
  void operator()(ASN1_OCTET_STRING* text) const { ASN1_OCTET_STRING_free(text); }
  void operator()(BIO* memory) const { BIO_free(memory); }
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

/// Without time_t, which has 32 bits on some machines; certificates of authorities last longer.
UtcTime end_of(const X509* certificate) {
  const std::unique_ptr<ASN1_TIME, Deleter> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0, seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, epoch.get(), X509_get0_notAfter(certificate)) != 1) return {};
  return UtcTime{std::chrono::hours(24) * days + std::chrono::seconds(seconds)};
}

std::string subject_of(const X509* certificate) {
  const std::unique_ptr<BIO, Deleter> memory(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(memory.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  std::string text(BIO_ctrl_pending(memory.get()), '\0');
  const int read = BIO_read(memory.get(), text.data(), static_cast<int>(text.size()));
  text.resize(read > 0 ? static_cast<std::size_t>(read) : 0);
  return text;
}

TlsFacts facts_of(const SSL* ssl) {
  TlsFacts facts;
  facts.version = SSL_get_version(ssl);
  const STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl);
  if (sk_X509_num(chain) > 0) {
    facts.peer = subject_of(sk_X509_value(chain, 0));
    facts.peer_until = end_of(sk_X509_value(chain, 0));
    facts.authority_until = end_of(sk_X509_value(chain, sk_X509_num(chain) - 1));
  }
  if (const X509* const own = SSL_get_certificate(ssl)) facts.own_until = end_of(own);
  return facts;
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
      if (peer->verified()) return;  // TLS 1.3 calls this for each of the tickets that follow, too
      const bool named = SSL_get_verify_result(ssl) == X509_V_OK && SSL_get0_peer_certificate(ssl) != nullptr;
      if (named) peer->facts_ = facts_of(ssl);
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

std::optional<TlsFacts> TlsPeer::facts() const { return verified() ? std::optional(facts_) : std::nullopt; }

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
