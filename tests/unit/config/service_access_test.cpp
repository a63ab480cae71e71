#include "agent/config/service_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace metergate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Files of the user who runs the test, seen by another user.
class ServiceAccessTest : public testing::Test {
 protected:
  ServiceAccessTest() {
    char folder[] = "/tmp/metergate-access-XXXXXX";
    folder_ = ::mkdtemp(folder);
    ::chmod(folder_.c_str(), 0755);
  }
  ~ServiceAccessTest() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, mode_t mode) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << "x";
    ::chmod(path.c_str(), mode);
    return path;
  }

  std::string folder_;
  const UserAccess stranger_{::getuid() + 1, {}};
  const UserAccess member_{::getuid() + 1, {::getgid()}};
  const UserAccess owner_{::getuid(), {}};
};

TEST_F(ServiceAccessTest, GoesByOwnerThenGroupThenOthers) {
  const std::string secret = file("secret", 0600), shared = file("shared", 0640), open = file("open", 0604);
  EXPECT_TRUE(owner_.may(secret, R_OK));
  EXPECT_FALSE(member_.may(secret, R_OK));
  EXPECT_FALSE(stranger_.may(secret, R_OK));
  EXPECT_TRUE(member_.may(shared, R_OK));
  EXPECT_FALSE(member_.may(shared, W_OK));
  EXPECT_FALSE(stranger_.may(shared, R_OK));
  EXPECT_TRUE(stranger_.may(open, R_OK));
  EXPECT_FALSE(member_.may(open, R_OK)) << "the group's bits count for a member, not those of others";
}

TEST_F(ServiceAccessTest, AsksEachFolderOnTheWay) {
  const std::string open = file("open", 0644);
  EXPECT_TRUE(stranger_.may(open, R_OK));
  ::chmod(folder_.c_str(), 0700);
  EXPECT_FALSE(stranger_.may(open, R_OK));
}

TEST_F(ServiceAccessTest, HasNothingToSayOfWhatIsNotThere) {
  EXPECT_TRUE(stranger_.may(folder_ + "/none", R_OK));
  EXPECT_THAT(access_warnings(owner_, {{"--store", folder_ + "/none.db", true}}), IsEmpty());
}

TEST_F(ServiceAccessTest, WarnsOfWhatTheServiceCannotUse) {
  const std::string password = file("password", 0600), authorities = file("ca.pem", 0644), store = file("m.db", 0644);
  EXPECT_THAT(
      access_warnings(stranger_, {{"--password-file", password}, {"--ca-file", authorities}, {"--store", store, true}}),
      ElementsAre("--password-file: the service's user metergate cannot read '" + password +
                      "'; change its owner or mode, or those of a folder above it",
                  "--store: the service's user metergate cannot read and write '" + store +
                      "'; change its owner or mode, or those of a folder above it"));
}

TEST_F(ServiceAccessTest, KnowsUsersByName) {
  EXPECT_TRUE(UserAccess::of("root"));
  EXPECT_FALSE(UserAccess::of("no-such-user"));
}

}  // namespace
}  // namespace metergate
