#include "agent/uplink/tls_peer.h"

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

struct TlsPeer::Hooks {
  // Called for each SSL object of the process while the TlsPeer lives; for a server's side it changes nothing that
  // counts.
  static void on_new(void* parent, void* value, CRYPTO_EX_DATA* data, int index, long number, void* peer) {
    static_cast<void>(value), static_cast<void>(data), static_cast<void>(index), static_cast<void>(number);
    auto* ssl = static_cast<SSL*>(parent);
    const auto* self = static_cast<TlsPeer*>(peer);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool held = SSL_set_ex_data(ssl, peer_slot(), peer) == 1 && SSL_set1_host(ssl, self->host_.c_str()) == 1 &&
                      SSL_set_min_proto_version(ssl, TLS1_2_VERSION) == 1;
    if (!held) std::abort();
    SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
    SSL_set_info_callback(ssl, on_state);
  }

  static void on_state(const SSL* ssl, int where, int result) {
    auto* self = static_cast<TlsPeer*>(SSL_get_ex_data(ssl, peer_slot()));
    if (self == nullptr) return;
    if ((where & SSL_CB_HANDSHAKE_START) != 0) {
      // Paho has set the address meanwhile. SSL_set_tlsext_host_name(3), written out: it casts away a const.
      SSL_ctrl(const_cast<SSL*>(ssl), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               self->is_name_ ? self->host_.data() : nullptr);
    } else if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (result >> 8) == SSL3_AL_FATAL) {
      // In TLS 1.3 a server judges the client's certificate when the client's own handshake is done already.
      self->alert_ = result;
      self->state_ = State::kRefused;
    } else if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
      const bool named = SSL_get_verify_result(ssl) == X509_V_OK && SSL_get0_peer_certificate(ssl) != nullptr;
      self->state_ = named ? State::kVerified : State::kRefused;
    } else if ((where & SSL_CB_EXIT) != 0 && result <= 0 && SSL_get_verify_result(ssl) != X509_V_OK) {
      self->verdict_ = SSL_get_verify_result(ssl);
      self->state_ = State::kRefused;
    }
  }
};

TlsPeer::TlsPeer(std::string host)
    : host_(std::move(host)),
      is_name_(!is_address(host_)),
      hook_(peer_slot() < 0 ? -1 : SSL_get_ex_new_index(0, this, &Hooks::on_new, nullptr, nullptr)) {
  if (hook_ < 0) std::abort();
}

void TlsPeer::expect() {
  state_ = State::kNone;
  alert_ = 0;
}

TlsPeer::~TlsPeer() { CRYPTO_free_ex_index(CRYPTO_EX_INDEX_SSL, hook_); }

std::optional<std::string> TlsPeer::refusal() const {
  if (state_ != State::kRefused) return std::nullopt;
  if (const int alert = alert_; alert != 0) {
    return std::string("the broker refuses this client by TLS: ") + SSL_alert_desc_string_long(alert) +
           "; see --cert-file";
  }
  const char* reason = X509_verify_cert_error_string(verdict_);
  return "the certificate is not that of '" + host_ + "' or not to be trusted: " + reason;
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
