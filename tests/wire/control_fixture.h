#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "agent/admin/control_server.h"
#include "agent/admin/unix_socket.h"
#include "tests/fakes/fake_clock.h"

namespace metergate {

constexpr Millis kSoon{10'000};

/// A control socket in a folder of its own, on a clock that the test moves.
class ControlFixture : public testing::Test {
 protected:
  ControlFixture() {
    char folder[] = "/tmp/metergate-control-XXXXXX";
    folder_ = ::mkdtemp(folder);
    path_ = folder_ + "/control";
  }
  ~ControlFixture() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<ControlServer> serve() {
    auto server = ControlServer::open(path_, handlers_, clock_, log_);
    EXPECT_TRUE(server) << server.error().detail;
    return server ? std::move(*server) : nullptr;
  }
  Fd connect() {
    auto socket = connect_unix(path_, kSoon);
    EXPECT_TRUE(socket) << socket.error().detail;
    if (!socket) return Fd{};
    EXPECT_EQ(::fcntl(socket->get(), F_SETFL, O_NONBLOCK), 0);
    return std::move(*socket);
  }
  static void send(const Fd& client, const std::string& bytes) {
    ASSERT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// What has come so far; "<closed>" at its end when nothing more will.
  static std::string received(const Fd& client) {
    std::string all;
    char buffer[65'536];
    ssize_t got = 0;
    while ((got = ::recv(client.get(), buffer, sizeof buffer, 0)) > 0)
      all.append(buffer, static_cast<std::size_t>(got));
    return got == 0 || errno != EAGAIN ? all + "<closed>" : all;
  }
  /// Until nothing is left to do at once.
  void settle(ControlServer& server) {
    for (int i = 0; i < 1000 && server.step(clock_.mono()) <= clock_.mono(); ++i) {
    }
  }

  FakeClock clock_;
  Fd null_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Log log_{LogLevel::kError, LogFormat::kText, clock_, null_.get()};
  std::string folder_, path_;
  ControlServer::Handlers handlers_{
      {"status", [](const Json&) { return std::string(R"({"state":"fine"})"); }},
      {"echo", [](const Json& request) { return JsonWriter{}.text(request.find("text")->text).take(); }},
      {"large", [](const Json& request) {
         return '"' + std::string(static_cast<std::size_t>(request.find("size")->as_integer(0, 2 << 20).value()), 'x') +
                '"';
       }}};
};

}  // namespace metergate
