#include <poll.h>
#include <sys/socket.h>

#include <fstream>
#include <sstream>

#include "tests/wire/free_port.h"
#include "tests/wire/uplink_fixture.h"

namespace metergate {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Authorities and certificates made for the test, with the openssl program.
class Certificates {
 public:
  Certificates() {
    authority("ca");
    authority("other-ca");
    issue("server", "ca", "DNS:broker.test,IP:127.0.0.1");
    issue("nameless", "ca", "DNS:elsewhere.test");
    issue("foreign", "other-ca", "DNS:broker.test");
    issue("client", "ca", "DNS:g1");
    issue("stranger", "other-ca", "DNS:g1");
    issue("wildcard", "ca", "DNS:*.example.test");
    issue("partial-wildcard", "ca", "DNS:bro*.example.test");
    issue("weak-key", "ca", "DNS:broker.test", {}, {"-newkey", "rsa:1024"});
    issue("sha1", "ca", "DNS:broker.test", {"-md", "sha1"});
    issue("expired", "ca", "DNS:broker.test", {"-startdate", "20200101000000Z", "-enddate", "20210101000000Z"});
    issue("early", "ca", "DNS:broker.test", {"-startdate", "20480101000000Z", "-enddate", "20490101000000Z"});
  }
  std::string file(const std::string& name) const { return folder.path(name); }

  WireFolder folder;

 private:
  void must(const std::vector<std::string>& arguments) {
    if (!run_program(arguments)) throw std::runtime_error("openssl failed");
  }
  void authority(const std::string& name) {
    must({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
          "-subj", "/CN=" + name, "-keyout", file(name + ".key"), "-out", file(name + ".pem")});
  }
  void issue(const std::string& name, const std::string& by, const std::string& alt_names,
             const std::vector<std::string>& how = {},
             const std::vector<std::string>& key = {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}) {
    const std::string request = file(name + ".csr");
    std::vector<std::string> ask{"openssl", "req"};
    ask.insert(ask.end(), key.begin(), key.end());
    ask.insert(ask.end(), {"-nodes", "-subj", "/CN=" + name, "-keyout", file(name + ".key"), "-out", request});
    must(ask);
    folder.write("index", "");
    const std::string config = folder.write(
        "ca.conf", "[ca]\ndefault_ca = d\n[d]\ndatabase = " + file("index") + "\nnew_certs_dir = " + file("") +
                       "\nrand_serial = yes\ndefault_md = sha256\ndefault_days = 2\npolicy = p\n[p]\n" +
                       "commonName = supplied\n");
    const std::string extensions = folder.write(name + ".ext", "subjectAltName=" + alt_names + "\n");
    std::vector<std::string> sign{"openssl",  "ca",
                                  "-batch",   "-notext",
                                  "-config",  config,
                                  "-cert",    file(by + ".pem"),
                                  "-keyfile", file(by + ".key"),
                                  "-in",      request,
                                  "-extfile", extensions,
                                  "-out",     file(name + ".pem")};
    sign.insert(sign.end(), how.begin(), how.end());
    must(sign);
  }
};

class UplinkTlsTest : public UplinkFixture {
 protected:
  static void SetUpTestSuite() { certificates = new Certificates; }
  static void TearDownTestSuite() { delete certificates; }
  static std::string file(const std::string& name) { return certificates->file(name); }

  UplinkTlsTest() {
    settings.options.tls = true;
    settings.options.brokers.front().host = "broker.test";
    settings.options.brokers.front().port = free_port();
    settings.options.ca_file = file("ca.pem");
  }
  std::unique_ptr<Mosquitto> broker(const std::string& certificate, bool wants_client = false,
                                    const std::string& address = "127.0.0.1", const std::string& version = {}) {
    return std::make_unique<Mosquitto>(std::vector<std::string>{
        "allow_anonymous true",
        "listener " + std::to_string(settings.options.brokers.front().port) + " " + address,
        "cafile " + file("ca.pem"),
        "certfile " + file(certificate + ".pem"),
        "keyfile " + file(certificate + ".key"),
        "ciphers DEFAULT:@SECLEVEL=0",
        wants_client ? "require_certificate true" : "",
        version.empty() ? version : "tls_version " + version,
    });
  }
  /// What a client says first, as bytes.
  std::string hello() {
    const Fd listener = listen_on_loopback(settings.options.brokers.front().port);
    const auto one = begin();
    pollfd p{listener.get(), POLLIN, 0};
    if (::poll(&p, 1, 5000) <= 0) return {};
    const Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string bytes(4096, '\0');
    const ssize_t n = ::recv(client.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }
  void expect_refusal(const std::string& reason) {
    const auto one = begin();
    EXPECT_TRUE(one->lost());
    EXPECT_FALSE(one->told.connected);
    EXPECT_THAT(one->connection->explain(one->told.why), HasSubstr(reason));
  }

  /// What is sent, decrypted, to a TLS server of one version with this certificate; until `wanted` is in it or the
  /// client gives up.
  std::string told(const std::string& certificate, const std::string& version, const std::string& wanted) {
    const WireFolder folder;
    const auto heard = [&] {
      std::ostringstream text;
      text << std::ifstream(folder.path("out")).rdbuf();
      return text.str();
    };
    int& port = settings.options.brokers.front().port;
    port = free_port();
    connector.reset();
    // Its standard input is open and never has anything: the program ends with it.
    Program server({"sh", "-c",
                    "cd " + folder.path("") + " && mkfifo in && exec openssl s_server -naccept 1 -accept 127.0.0.1:" +
                        std::to_string(port) + " " + version + " -cipher DEFAULT:@SECLEVEL=0 -cert " +
                        file(certificate + ".pem") + " -key " + file(certificate + ".key") + " 0<>in >out 2>&1"});
    for (int i = 0; i < 1000 && heard().find("ACCEPT") == std::string::npos; ++i) pause_for(10ms);
    const auto one = begin();
    for (int i = 0; i < 1000 && heard().find(wanted) == std::string::npos; ++i) {
      if (!one->told.wait([&] { return one->told.lost > 0; }, 10ms)) continue;
      server.wait(5000ms);
      break;
    }
    return heard();
  }

  static Certificates* certificates;
};
Certificates* UplinkTlsTest::certificates = nullptr;

TEST_F(UplinkTlsTest, ConnectsToTheAddressOfTheOneWhoseNameIsInTheCertificate) {
  const auto server = broker("server");
  const auto one = begin();
  ASSERT_TRUE(one->up()) << one->told.why;
  ASSERT_TRUE(one->publish(1, {"metergate/g1/readings", std::string(65'536, 'x'), false}));

  EXPECT_TRUE(one->acked(1));
}

TEST_F(UplinkTlsTest, ConnectsToAnAddressThatIsInTheCertificate) {
  const auto server = broker("server");
  settings.options.brokers.front().host = "127.0.0.1";

  EXPECT_TRUE(begin()->up());
}

TEST_F(UplinkTlsTest, RefusesACertificateForAnotherName) {
  const auto server = broker("nameless");
  expect_refusal("not that of 'broker.test' or not to be trusted: hostname mismatch");
}

TEST_F(UplinkTlsTest, RefusesACertificateWithoutTheAddressThatWasAskedFor) {
  const auto server = broker("nameless");
  settings.options.brokers.front().host = "127.0.0.1";
  expect_refusal("IP address mismatch");
}

TEST_F(UplinkTlsTest, RefusesAnUnknownAuthority) {
  const auto server = broker("server");
  settings.options.ca_file = file("other-ca.pem");
  expect_refusal("not to be trusted: self-signed certificate in certificate chain");
}

TEST_F(UplinkTlsTest, RefusesAnUnknownAuthorityAlsoWhereNoneIsNamed) {
  const auto server = broker("server");
  settings.options.ca_file.clear();  // those of the system
  expect_refusal("not to be trusted");
}

TEST_F(UplinkTlsTest, TakesACertificateForAllNamesOfADomain) {
  const auto server = broker("wildcard");
  settings.options.brokers.front().host = "broker.example.test";
  EXPECT_TRUE(begin()->up());
}

TEST_F(UplinkTlsTest, RefusesACertificateForAPartOfAName) {
  const auto server = broker("partial-wildcard");
  settings.options.brokers.front().host = "broker.example.test";
  expect_refusal("hostname mismatch");
}

TEST_F(UplinkTlsTest, RefusesAnRsaKeyOf1024Bits) {
  const auto server = broker("weak-key");
  expect_refusal("not to be trusted: EE certificate key too weak");
}

TEST_F(UplinkTlsTest, RefusesACertificateThatWasSignedWithSha1) {
  const auto server = broker("sha1");
  expect_refusal("not to be trusted: CA signature digest algorithm too weak");
}

TEST_F(UplinkTlsTest, RefusesACertificateThatHasExpired) {
  const auto server = broker("expired");
  expect_refusal("not to be trusted: certificate has expired");
}

TEST_F(UplinkTlsTest, RefusesACertificateThatIsNotYetValid) {
  const auto server = broker("early");
  expect_refusal("not to be trusted: certificate is not yet valid");
}

TEST_F(UplinkTlsTest, SaysNothingOfTlsWhenAConnectionThatItVerifiedIsLost) {
  auto server = broker("server");
  const auto one = begin();
  ASSERT_TRUE(one->up()) << one->told.why;
  server.reset();
  ASSERT_TRUE(one->lost());
  EXPECT_THAT(one->told.why, ::testing::Not(HasSubstr("TLS")));
}

TEST_F(UplinkTlsTest, SaysThatAPlainPortDoesNotSpeakTls) {
  Mosquitto plain;
  settings.options.brokers.front().port = plain.port();
  const auto one = begin();
  ASSERT_TRUE(one->lost());
  EXPECT_THAT(one->connection->explain(one->told.why), HasSubstr("a port without TLS wants mqtt://"));
}

TEST_F(UplinkTlsTest, IsToldByAPlainClientWhenThePortSpeaksTls) {
  const auto server = broker("server");
  settings.options.tls = false;
  const auto one = begin();
  ASSERT_TRUE(one->lost());
  EXPECT_THAT(one->connection->explain(one->told.why), HasSubstr("mqtts://"));
}

TEST_F(UplinkTlsTest, HoldsEachNodeToItsOwnName) {
  const auto server = broker("server");
  Endpoint other = settings.options.brokers.front();
  other.host = "other.test";
  settings.options.brokers.push_back(other);
  EXPECT_TRUE(begin()->up());
  expect_refusal("hostname mismatch");
  EXPECT_TRUE(begin()->up());
}

TEST_F(UplinkTlsTest, DoesNotTrustOneAddressForWhatAnotherShowed) {
  const auto good = broker("server");
  const auto bad = broker("nameless", false, "127.0.0.2");
  addresses = {"127.0.0.1", "127.0.0.2"};
  EXPECT_TRUE(begin()->up());
  expect_refusal("hostname mismatch");
  EXPECT_TRUE(begin()->up());
}

TEST_F(UplinkTlsTest, ShowsItsCertificateToABrokerThatWantsOne) {
  // In TLS 1.3 the broker judges it when the client's own handshake has ended already; its alert may come too late.
  for (const char* version : {"tlsv1.2", "tlsv1.3"}) {
    const auto server = broker("server", true, "127.0.0.1", version);
    settings.options.cert_file = settings.options.key_file = "";
    connector.reset();
    expect_refusal("see --cert-file");
    settings.options.cert_file = file("stranger.pem");
    settings.options.key_file = file("stranger.key");
    connector.reset();
    expect_refusal("see --cert-file");
    settings.options.cert_file = file("client.pem");
    settings.options.key_file = file("client.key");
    connector.reset();

    EXPECT_TRUE(begin()->up()) << version;
  }
}

TEST_F(UplinkTlsTest, SendsNoByteOfMqttBeforeTheOtherSideIsVerified) {
  const std::string password = "for-the-broker-only";
  settings.options.username = "g1";
  settings.options.password_file = certificates->folder.write("password", password);
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    ASSERT_THAT(told("server", version, password), HasSubstr(password)) << version;
    for (const char* bad : {"nameless", "partial-wildcard", "foreign", "weak-key", "sha1", "expired", "early"}) {
      const std::string heard = told(bad, version, "MQTT");
      EXPECT_THAT(heard, HasSubstr("ERROR")) << bad << " was not refused";
      EXPECT_THAT(heard, ::testing::Not(HasSubstr("MQTT"))) << bad;
    }
  }
}

TEST_F(UplinkTlsTest, TakesBackAMessageThatWasNotTakenAsPlainTcpDoes) {
  const auto server = broker("server");
  auto one = begin();
  one->told.take = [](const Message&) { return false; };
  ASSERT_TRUE(one->up() && one->subscribe({"metergate/g1/commands"}));
  server->publish("metergate/g1/commands", "c1");
  ASSERT_TRUE(one->lost());
  one.reset();
  EXPECT_EQ(server->logged("Received PUBACK from metergate-g1", 1, 200ms), 0);
  one = begin();

  EXPECT_TRUE(one->told.wait([&] { return !one->told.messages.empty(); }));
}

TEST_F(UplinkTlsTest, NamesTheHostAndNotTheAddress) {
  const std::string bytes = hello();
  EXPECT_THAT(bytes, HasSubstr("broker.test"));
  EXPECT_THAT(bytes, ::testing::Not(HasSubstr("127.0.0.1")));
}

TEST_F(UplinkTlsTest, NamesNoAddress) {
  settings.options.brokers.front().host = "127.0.0.1";
  EXPECT_THAT(hello(), ::testing::Not(HasSubstr("127.0.0.1")));
}

TEST_F(UplinkTlsTest, OffersTls12AndLaterOnly) {
  // RFC 8446, 4.2.1: extension 43, 5 bytes, a list of 4 bytes: TLS 1.3 and TLS 1.2.
  const std::string versions("\x00\x2b\x00\x05\x04\x03\x04\x03\x03", 9);
  EXPECT_THAT(hello(), HasSubstr(versions));
}

TEST_F(UplinkTlsTest, RefusesFilesThatAreNoneAndNamesTheirFlag) {
  const std::string junk = certificates->folder.write("junk", "no PEM\n");
  const std::string locked = file("locked.key");
  ASSERT_TRUE(
      run_program({"openssl", "ec", "-in", file("client.key"), "-aes256", "-passout", "pass:x", "-out", locked}));
  struct Case {
    std::string ca, cert, key, named;
  };
  const std::vector<Case> cases = {
      {junk, "", "", "--ca-file " + junk},
      {file("missing"), "", "", "--ca-file " + file("missing")},
      {file("ca.pem"), junk, file("client.key"), "--cert-file " + junk},
      {file("ca.pem"), file("client.pem"), junk, "--key-file " + junk},
      {file("ca.pem"), file("client.pem"), file("server.key"), "--key-file " + file("server.key")},
      {file("ca.pem"), file("client.pem"), locked, "--key-file " + locked},
      {file("ca.pem"), "", file("client.key"), "--key-file " + file("client.key")},
  };
  for (const Case& c : cases) {
    settings.options.ca_file = c.ca;
    settings.options.cert_file = c.cert;
    settings.options.key_file = c.key;
    const Status made = make_connector();
    ASSERT_FALSE(made) << c.named;
    EXPECT_EQ(made.error().code, Errc::kInvalid);
    EXPECT_THAT(made.error().detail, HasSubstr(c.named));
  }
}

}  // namespace
}  // namespace metergate
