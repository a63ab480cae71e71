#include "agent/uplink/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <array>
#include <utility>

namespace metergate {

namespace {

struct Deleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, Deleter>;

std::string openssl_error() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason == nullptr ? "not usable" : reason;
}

int no_passphrase(char* buffer, int size, int writing, void* context) {
  static_cast<void>(buffer), static_cast<void>(size), static_cast<void>(writing), static_cast<void>(context);
  return 0;
}

/// As Paho C makes one. Without --ca-file the authorities of the system are trusted.
Result<Context> make_context(const UplinkOptions& options) {
  Context context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return Error{Errc::kInvalid, "OpenSSL cannot be used: " + openssl_error()};
  SSL_CTX_set_default_passwd_cb(context.get(), no_passphrase);
  const auto bad = [](const std::string& flag, const std::string& file, const std::string& wanted) {
    return Error{Errc::kInvalid, flag + " " + file + ": " + openssl_error() + "; " + wanted};
  };
  const std::string& cert = options.cert_file;
  const std::string& key = options.key_file.empty() ? cert : options.key_file;
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) != 1) {
    return bad("--ca-file", options.ca_file, "a PEM file with the certificates of the authorities is wanted");
  }
  if (cert.empty()) {
    if (options.key_file.empty()) return context;
    return Error{Errc::kInvalid, "--key-file " + key + ": a key without --cert-file"};
  }
  if (SSL_CTX_use_certificate_chain_file(context.get(), cert.c_str()) != 1) {
    return bad("--cert-file", cert, "a PEM file with this gateway's certificate, then those of its issuers, is wanted");
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return bad("--key-file", key, "the PEM key of --cert-file without a passphrase is wanted");
  }
  return context;
}

class TlsStream final : public ByteStream {
 public:
  TlsStream(Fd socket, std::unique_ptr<SSL, Deleter> ssl, const Clock& clock)
      : socket_(std::move(socket)), ssl_(std::move(ssl)), clock_(clock) {}

  Status handshake(MonoTime until) {
    return done([this] { return SSL_connect(ssl_.get()); }, until);
  }
  Status write(std::string_view bytes, MonoTime until) override {
    return done([&] { return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); }, until);
  }
  Result<std::string> read(MonoTime until) override {
    std::array<char, 4096> buffer;
    int count = 0;
    const Status read =
        done([&] { return count = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size())); }, until);
    if (!read) return read.error();
    return std::string(buffer.data(), static_cast<std::size_t>(count));
  }

 private:
  template <class Call>
  Status done(Call call, MonoTime until) {
    for (;;) {
      ERR_clear_error();
      const int result = call();
      if (result > 0) return {};
      const int error = SSL_get_error(ssl_.get(), result);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        return Error{Errc::kBusDown, "the connection is gone"};
      }
      const short events = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
      if (!wait_for_socket(socket_.get(), events, until, clock_)) return Error{Errc::kTimeout, "nothing comes"};
    }
  }

  Fd socket_;
  std::unique_ptr<SSL, Deleter> ssl_;
  const Clock& clock_;
};

}  // namespace

Status check_tls_files(const UplinkOptions& options) {
  const auto context = make_context(options);
  return context ? Status{} : Status{context.error()};
}

/// The definition of SSL_connect in tls_peer.cpp holds this connection to what a TlsPeer says, as it does with Paho's.
Result<std::unique_ptr<ByteStream>> make_tls_stream(Fd socket, const UplinkOptions& options, const TlsPeer& peer,
                                                    MonoTime until, const Clock& clock) {
  const auto context = make_context(options);
  if (!context) return context.error();
  std::unique_ptr<SSL, Deleter> ssl(SSL_new(context->get()));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), socket.get()) != 1) {
    return Error{Errc::kInvalid, "OpenSSL cannot be used: " + openssl_error()};
  }
  auto stream = std::make_unique<TlsStream>(std::move(socket), std::move(ssl), clock);
  const Status shaken = stream->handshake(until);
  if (!shaken) return shaken.error();
  if (!peer.verified()) return Error{Errc::kBusDown, "the handshake did not verify the broker's certificate"};
  return std::unique_ptr<ByteStream>(std::move(stream));
}

}  // namespace metergate
