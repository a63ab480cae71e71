#include "agent/crypto/signature.h"

#include <gmock/gmock.h>

#include "agent/base/base64.h"
#include "agent/base/hex.h"

namespace metergate {
namespace {

// RFC 8032, 7.1, TEST 2, its keys as PEM.
const std::string kPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
    "-----END PRIVATE KEY-----\n";
const std::string kPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"
    "-----END PUBLIC KEY-----\n";

TEST(Signature, IsThatOfTheStandard) {
  const auto signature = sign(kPrivate, "\x72");
  ASSERT_TRUE(signature) << signature.error().detail;
  EXPECT_EQ(to_hex(reinterpret_cast<const std::uint8_t*>(signature->data()), signature->size()),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00");
}

TEST(Signature, FitsItsTextAlone) {
  const auto key = VerifyKey::from_pem(kPublic);
  ASSERT_TRUE(key) << key.error().detail;
  std::string signature = *sign(kPrivate, "text");
  EXPECT_TRUE(key->is_signature("text", signature));
  EXPECT_FALSE(key->is_signature("Text", signature));
  EXPECT_FALSE(key->is_signature("text", signature.substr(1)));
  EXPECT_FALSE(key->is_signature("text", ""));
  signature[5] = static_cast<char>(signature[5] ^ 1);
  EXPECT_FALSE(key->is_signature("text", signature));
}

TEST(Signature, TakesNoOtherKeys) {
  EXPECT_FALSE(VerifyKey::from_pem(kPrivate));
  EXPECT_FALSE(VerifyKey::from_pem(""));
  EXPECT_FALSE(sign(kPublic, "text"));
}

}  // namespace
}  // namespace metergate
