#include "agent/admin/unix_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace metergate {
namespace {

using testing::HasSubstr;

constexpr Millis kSoon{10'000};

class UnixSocketTest : public testing::Test {
 protected:
  UnixSocketTest() {
    char folder[] = "/tmp/metergate-socket-XXXXXX";
    folder_ = ::mkdtemp(folder);
    path_ = folder_ + "/control";
  }
  ~UnixSocketTest() override { std::filesystem::remove_all(folder_); }

  Error refused() {
    auto listener = UnixListener::open(path_);
    return listener ? Error{Errc::kOffline, "was opened"} : listener.error();
  }
  bool answers() { return static_cast<bool>(connect_unix(path_, kSoon)); }

  /// What a process leaves that ended without closing: the file of a socket that nobody holds.
  void leave_dead_socket() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    const Fd dead{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }

  std::string folder_, path_;
};

TEST_F(UnixSocketTest, BelongsToUserAndGroupWhateverTheUmask) {
  for (const mode_t mask : {0000u, 0022u, 0177u}) {
    const mode_t before = ::umask(mask);
    const auto listener = UnixListener::open(path_);
    ::umask(before);
    ASSERT_TRUE(listener) << listener.error().detail;
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777u, 0660u);
  }
}

TEST_F(UnixSocketTest, ReplacesTheSocketOfADeadProcess) {
  leave_dead_socket();
  ASSERT_TRUE(std::filesystem::exists(path_));
  const auto listener = UnixListener::open(path_);
  ASSERT_TRUE(listener) << listener.error().detail;
  EXPECT_TRUE(answers());
}

TEST_F(UnixSocketTest, LeavesTheSocketOfALivingProcessAlone) {
  const auto listener = UnixListener::open(path_);
  ASSERT_TRUE(listener);
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kLocked);
  EXPECT_THAT(error.detail, HasSubstr("another process listens at " + path_));
  EXPECT_TRUE(answers());
}

TEST_F(UnixSocketTest, LeavesTheSocketOfALivingProcessAloneThatTakesNoConnection) {
  const auto listener = UnixListener::open(path_);
  ASSERT_TRUE(listener);
  std::vector<Fd> waiting;
  for (int i = 0; i < 17; ++i) {
    auto client = connect_unix(path_, kSoon);
    ASSERT_TRUE(client);
    waiting.push_back(std::move(*client));
  }
  EXPECT_EQ(refused().code, Errc::kLocked);
  EXPECT_TRUE(std::filesystem::exists(path_));

  const auto late = connect_unix(path_, Millis{50});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::kTimeout);
}

TEST_F(UnixSocketTest, LeavesAFileThatIsNoSocketAlone) {
  std::ofstream(path_) << "precious";
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kInvalid);
  EXPECT_THAT(error.detail, HasSubstr("is not a socket"));
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(UnixSocketTest, LeavesALinkAlone) {
  std::ofstream(folder_ + "/precious") << "precious";
  std::filesystem::create_symlink(folder_ + "/precious", path_);
  EXPECT_EQ(refused().code, Errc::kInvalid);
  EXPECT_TRUE(std::filesystem::is_symlink(path_));
}

TEST_F(UnixSocketTest, SaysThatTheFolderIsMissing) {
  path_ = folder_ + "/missing/control";
  const Error error = refused();
  EXPECT_EQ(error.code, Errc::kNotFound);
  EXPECT_THAT(error.detail, HasSubstr("its folder must exist"));
}

TEST_F(UnixSocketTest, SaysThatThePathIsTooLongOrEmpty) {
  for (const std::string& path : {folder_ + "/" + std::string(108, 'x'), std::string()}) {
    path_ = path;
    const Error error = refused();
    EXPECT_EQ(error.code, Errc::kInvalid);
    EXPECT_THAT(error.detail, HasSubstr("1 to 107 bytes"));
  }
}

TEST_F(UnixSocketTest, RemovesItsFileAtTheEndButNotItsSuccessors) {
  { ASSERT_TRUE(UnixListener::open(path_)); }
  EXPECT_FALSE(std::filesystem::exists(path_));

  std::optional<Result<UnixListener>> first(UnixListener::open(path_));
  std::filesystem::rename(path_, path_ + ".aside");
  const auto second = UnixListener::open(path_);
  ASSERT_TRUE(second);
  first.reset();
  EXPECT_TRUE(answers());
}

TEST_F(UnixSocketTest, MakesItsFileAgainWhenItWasRemoved) {
  auto listener = UnixListener::open(path_);
  ASSERT_TRUE(listener);
  MonoTime now{};
  now = listener->step(now);
  std::filesystem::remove(path_);
  EXPECT_FALSE(answers());
  EXPECT_EQ(listener->step(now - Millis{1}), now);
  EXPECT_FALSE(answers());
  EXPECT_LE(listener->step(now) - now, Millis{60'000});
  EXPECT_TRUE(answers());
}

TEST_F(UnixSocketTest, MakesItsFileAgainWhenADeadProcessHasPutOneThere) {
  auto listener = UnixListener::open(path_);
  ASSERT_TRUE(listener);
  const MonoTime now = listener->step(MonoTime{});
  std::filesystem::remove(path_);
  leave_dead_socket();
  listener->step(now);
  EXPECT_TRUE(answers());
}

TEST_F(UnixSocketTest, LeavesItsPathToALivingProcessUntilThatIsGone) {
  auto first = UnixListener::open(path_);
  ASSERT_TRUE(first);
  MonoTime now = first->step(MonoTime{});
  std::filesystem::remove(path_);
  {
    const auto second = UnixListener::open(path_);
    ASSERT_TRUE(second);
    now = first->step(now);
    EXPECT_TRUE(answers());
  }
  EXPECT_FALSE(answers());
  first->step(now);
  EXPECT_TRUE(answers());
}

TEST_F(UnixSocketTest, SaysThatNobodyListens) {
  leave_dead_socket();
  for (const std::string& path : {path_, folder_ + "/missing"}) {
    const auto socket = connect_unix(path, kSoon);
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().code, Errc::kOffline);
    EXPECT_THAT(socket.error().detail, HasSubstr("no agent runs with this --control path"));
  }
}

}  // namespace
}  // namespace metergate
