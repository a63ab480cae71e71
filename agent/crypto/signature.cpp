#include "agent/crypto/signature.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>

#include "agent/base/text.h"

namespace metergate {

namespace {

constexpr std::size_t kSignature = 64;

struct Deleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
template <class T>
using Owned = std::unique_ptr<T, Deleter>;

Owned<BIO> reader(const std::string& pem) {
  return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

int no_passphrase(char*, int, int, void*) { return 0; }

bool is_ed25519(const EVP_PKEY* key) { return key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519; }

}  // namespace

Result<VerifyKey> VerifyKey::from_pem(const std::string& pem) {
  const auto bio = reader(pem);
  Owned<EVP_PKEY> key(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  if (!is_ed25519(key.get())) {
    return Error{Errc::kInvalid, "is no Ed25519 public key in PEM; 'openssl pkey -in KEYFILE -pubout' writes one"};
  }
  return VerifyKey(std::shared_ptr<void>(key.release(), [](void* p) { EVP_PKEY_free(static_cast<EVP_PKEY*>(p)); }));
}

bool VerifyKey::is_signature(std::string_view text, std::string_view signature) const {
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const bool right =
      context != nullptr && signature.size() == kSignature &&
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, static_cast<EVP_PKEY*>(key_.get())) == 1 &&
      EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
  ERR_clear_error();
  return right;
}

Result<VerifyKey> read_verify_key(const std::string& path) {
  const auto pem = read_file(path, 64 << 10);
  if (!pem) return Error{Errc::kInvalid, "--remote-key: " + pem.error().detail};
  auto key = VerifyKey::from_pem(*pem);
  if (!key) return Error{Errc::kInvalid, "--remote-key " + path + ": " + key.error().detail};
  return key;
}

Result<std::string> sign(const std::string& private_pem, std::string_view text) {
  const auto bio = reader(private_pem);
  const Owned<EVP_PKEY> key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  std::array<unsigned char, kSignature> signature{};
  std::size_t size = signature.size();
  const bool done = is_ed25519(key.get()) && context != nullptr &&
                    EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                    EVP_DigestSign(context.get(), signature.data(), &size, bytes_of(text), text.size()) == 1;
  ERR_clear_error();
  if (!done) {
    return Error{
        Errc::kInvalid,
        "is no Ed25519 private key in PEM without a passphrase; 'openssl genpkey -algorithm ed25519' makes one"};
  }
  return std::string(signature.begin(), signature.begin() + static_cast<std::ptrdiff_t>(size));
}

}  // namespace metergate
