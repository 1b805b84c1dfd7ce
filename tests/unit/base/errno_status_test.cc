#include "pkg/base/errno_status.h"

#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

TEST(ErrnoStatusTest, NamesTheCallTheErrorAndItsSymbol) {
  const absl::Status status = ErrnoStatus(EADDRINUSE, "bind 10.0.0.1:80");
  EXPECT_EQ(status.message(), "bind 10.0.0.1:80: Address already in use (EADDRINUSE)");
}

TEST(ErrnoStatusTest, ChoosesTheMatchingCode) {
  EXPECT_EQ(ErrnoStatus(ENOENT, "open x").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrnoStatus(EACCES, "open x").code(), absl::StatusCode::kPermissionDenied);
}

TEST(ErrnoStatusTest, SurvivesAnUnknownNumber) {
  EXPECT_NE(ErrnoStatus(99999, "x").message().find("unknown errno"), std::string::npos);
}

TEST(ErrnoStatusTest, LastErrorIsThatOfTheCall) {
  errno = EPERM;
  EXPECT_EQ(LastErrnoStatus("setuid").message(), "setuid: Operation not permitted (EPERM)");
}

}  // namespace
}  // namespace fairlead::base
