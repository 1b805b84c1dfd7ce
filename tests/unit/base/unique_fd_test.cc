#include "pkg/base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

int OpenNull() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(UniqueFdTest, ClosesItsDescriptorAtTheEndOfItsLife) {
  const int raw = OpenNull();
  { const UniqueFd fd(raw); }
  EXPECT_FALSE(IsOpen(raw));
}

TEST(UniqueFdTest, OwnsNothingByDefault) {
  const UniqueFd fd;
  EXPECT_FALSE(fd.valid());
  EXPECT_EQ(fd.get(), -1);
}

TEST(UniqueFdTest, MovesItsDescriptorAndLeavesNothingBehind) {
  UniqueFd from(OpenNull());
  const int raw = from.get();
  const UniqueFd to(std::move(from));
  EXPECT_EQ(to.get(), raw);
  EXPECT_FALSE(from.valid());  // NOLINT(bugprone-use-after-move): the state is the contract
}

TEST(UniqueFdTest, AssignmentClosesTheFormerDescriptor) {
  UniqueFd fd(OpenNull());
  const int former = fd.get();
  UniqueFd other(OpenNull());
  const int latter = other.get();
  fd = std::move(other);
  EXPECT_FALSE(IsOpen(former));
  EXPECT_EQ(fd.get(), latter);
  EXPECT_TRUE(IsOpen(latter));
}

TEST(UniqueFdTest, SurvivesAssignmentToItself) {
  UniqueFd fd(OpenNull());
  UniqueFd& same = fd;
  fd = std::move(same);
  EXPECT_TRUE(fd.valid());
  EXPECT_TRUE(IsOpen(fd.get()));
}

TEST(UniqueFdTest, ReleaseGivesTheDescriptorToTheCaller) {
  int raw = -1;
  {
    UniqueFd fd(OpenNull());
    raw = fd.Release();
  }
  EXPECT_TRUE(IsOpen(raw));
  ::close(raw);
}

}  // namespace
}  // namespace fairlead::base
