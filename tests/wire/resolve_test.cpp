#include "agent/base/resolve.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <netdb.h>

#include <condition_variable>
#include <cstring>
#include <mutex>

namespace {

/// A name server that does not answer "slow.test" until it is let to.
struct Gate {
  std::mutex mutex;  // guards both
  std::condition_variable changed;
  bool open = true;
  int lookups = 0;
};
Gate& gate() {
  static Gate only;
  return only;
}

}  // namespace

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
  const auto real = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const bool slow = std::strcmp(node, "slow.test") == 0 && (hints->ai_flags & AI_NUMERICHOST) == 0;
  if (!slow) return real(node, service, hints, found);
  std::unique_lock<std::mutex> hold(gate().mutex);
  ++gate().lookups;
  gate().changed.notify_all();
  gate().changed.wait(hold, [] { return gate().open; });
  return real("127.0.0.7", service, hints, found);
}

namespace metergate {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

void set_gate(bool open) {
  std::lock_guard<std::mutex> hold(gate().mutex);
  gate().open = open;
  gate().changed.notify_all();
}

TEST(ResolveTest, TakesNumericHostsAsTheyAre) {
  EXPECT_THAT(*resolve("127.0.0.1", Millis{0}), ElementsAre("127.0.0.1"));
  EXPECT_THAT(*resolve("::1", Millis{0}), ElementsAre("::1"));
}

TEST(ResolveTest, FindsTheAddressesOfAName) {
  const auto addresses = resolve("localhost", Millis{2000});

  ASSERT_TRUE(addresses) << addresses.error().detail;
  EXPECT_THAT(*addresses, Contains("127.0.0.1"));
}

TEST(ResolveTest, TellsAnUnusableName) {
  const std::string name(70, 'x');  // longer than a label of a domain name can be

  const auto addresses = resolve(name, Millis{2000});

  ASSERT_FALSE(addresses);
  EXPECT_EQ(addresses.error().code, Errc::kOffline);
  EXPECT_THAT(addresses.error().detail, HasSubstr(name));
}

TEST(ResolveTest, GivesUpInTimeStartsNoSecondLookupAndFindsTheFirstOnesAnswerLater) {
  set_gate(false);
  EXPECT_EQ(resolve("slow.test", Millis{20}).error().code, Errc::kOffline);
  EXPECT_EQ(resolve("slow.test", Millis{20}).error().code, Errc::kOffline);

  set_gate(true);
  EXPECT_THAT(*resolve("slow.test", Millis{2000}), ElementsAre("127.0.0.7"));

  std::lock_guard<std::mutex> hold(gate().mutex);
  EXPECT_EQ(gate().lookups, 1);
}

}  // namespace
}  // namespace metergate
