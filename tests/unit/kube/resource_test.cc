#include "pkg/kube/resource.h"

#include "gtest/gtest.h"

namespace fairlead::kube {
namespace {

TEST(ResourceTest, PathsOfANamespacedResource) {
  EXPECT_EQ(kVips.ApiVersion(), "lb.fairlead.dev/v1alpha1");
  EXPECT_EQ(kVips.Path(""), "/apis/lb.fairlead.dev/v1alpha1/vips");
  EXPECT_EQ(kVips.Path("print"), "/apis/lb.fairlead.dev/v1alpha1/namespaces/print/vips");
  EXPECT_EQ(kVips.Path("print", "dispatcher", "status"),
            "/apis/lb.fairlead.dev/v1alpha1/namespaces/print/vips/dispatcher/status");
}

TEST(ResourceTest, PathsOfAClusterScopedResourceHaveNoNamespace) {
  EXPECT_EQ(kAddressPools.Path("print", "office"),
            "/apis/lb.fairlead.dev/v1alpha1/addresspools/office");
}

TEST(ResourceTest, TheCoreGroupHasItsOwnPrefix) {
  EXPECT_EQ(kServices.ApiVersion(), "v1");
  EXPECT_EQ(kServices.Path("default", "web"), "/api/v1/namespaces/default/services/web");
}

}  // namespace
}  // namespace fairlead::kube
