#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "agent/base/fd.h"
#include "agent/run/sd_notify.h"

namespace metergate {
namespace {

/// A service manager's end of sd_notify(3).
class NotifyTest : public testing::Test {
 protected:
  NotifyTest() {
    char folder[] = "/tmp/metergate-notify-XXXXXX";
    folder_ = ::mkdtemp(folder);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_ + "/notify";
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~NotifyTest() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
    std::filesystem::remove_all(folder_);
  }

  std::string heard() {
    char buffer[256];
    const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return std::string(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
  }

  std::string folder_;
  Fd socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

TEST_F(NotifyTest, SpeaksToTheSocketThatTheManagerNames) {
  systemd_notify()("READY=1");
  EXPECT_EQ(heard(), "READY=1");
}

TEST_F(NotifyTest, DoesNothingWithoutAManager) {
  ::unsetenv("NOTIFY_SOCKET");
  systemd_notify()("READY=1");
  EXPECT_EQ(heard(), "");
}

TEST_F(NotifyTest, KnowsTheWatchdogThatIsMeantForThisProcess) {
  EXPECT_FALSE(systemd_watchdog());
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(systemd_watchdog(), Micros{30'000'000});
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_FALSE(systemd_watchdog());
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("WATCHDOG_USEC", "often", 1);
  EXPECT_FALSE(systemd_watchdog());
}

}  // namespace
}  // namespace metergate
