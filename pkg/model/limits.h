// The bounds of every number and of every list of the configuration, both ends included. The
// decoder and the validator read them from here, and so do the messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace fairlead::model {

template <typename T>
struct Limits {
  T min;
  T max;
  constexpr bool Contain(T value) const { return min <= value && value <= max; }
};

inline constexpr size_t kVipAddressesMax = 8;
inline constexpr size_t kInlineServersMax = 1024;
inline constexpr size_t kPresetsMax = 32;
// Of one Service; a Service of Kubernetes with more is possible, a VIP with more is not.
inline constexpr size_t kEndpointsMax = 4096;
inline constexpr size_t kPoolRangesMax = 64;
inline constexpr size_t kPoolNamespacesMax = 256;
inline constexpr size_t kStatusRangesMax = 16;
inline constexpr size_t kHttpPathBytesMax = 1024;
inline constexpr size_t kHttpHostBytesMax = 255;
// One TCP segment's worth of question; the answer is compared with its first 4,096 bytes.
inline constexpr size_t kSendBytesMax = 1024;
inline constexpr size_t kExpectBytesMax = 1024;

inline constexpr Limits<int64_t> kPortLimits{1, 65535};
inline constexpr Limits<int64_t> kWeightLimits{0, 65535};
inline constexpr Limits<int64_t> kConnectionsLimits{0, 10'000'000};
inline constexpr Limits<int64_t> kIpv4PrefixLimits{0, 32};
inline constexpr Limits<int64_t> kIpv6PrefixLimits{0, 128};
// RFC 9568 §5.2.3, §5.2.4; 0, 1 and 255 are what a node says of itself, not what it is configured
// to.
inline constexpr Limits<int64_t> kVirtualRouterIdLimits{1, 255};
inline constexpr Limits<int64_t> kVrrpPriorityLimits{2, 254};
inline constexpr Limits<int64_t> kAdvertisementMsLimits{10, 40950};
inline constexpr Limits<int64_t> kThresholdLimits{1, 100};
inline constexpr Limits<int64_t> kStatusLimits{100, 599};
inline constexpr Limits<int64_t> kUnansweredThresholdLimits{0, 10'000};
inline constexpr Limits<int64_t> kUnansweredPercentLimits{50, 100};

inline constexpr Limits<absl::Duration> kCheckIntervalLimits{absl::Milliseconds(100),
                                                             absl::Hours(1)};
inline constexpr Limits<absl::Duration> kCheckTimeoutLimits{absl::Milliseconds(50),
                                                            absl::Seconds(60)};
inline constexpr Limits<absl::Duration> kUnansweredWindowLimits{absl::Seconds(5), absl::Hours(1)};
inline constexpr Limits<absl::Duration> kUnansweredHoldLimits{absl::Seconds(5), absl::Hours(1)};
inline constexpr Limits<absl::Duration> kPersistenceTimeoutLimits{absl::Seconds(1),
                                                                  absl::Hours(7 * 24)};
inline constexpr Limits<absl::Duration> kConnectTimeoutLimits{absl::Milliseconds(50),
                                                              absl::Seconds(60)};
inline constexpr Limits<absl::Duration> kIdleTimeoutLimits{absl::Seconds(1), absl::Hours(7 * 24)};
inline constexpr Limits<absl::Duration> kDrainTimeoutLimits{absl::ZeroDuration(),
                                                            absl::Hours(7 * 24)};
inline constexpr Limits<absl::Duration> kSlowStartLimits{absl::ZeroDuration(), absl::Hours(1)};

// "must be 0..65535", "must be 0.1..3600 seconds": the end of the message about a value outside.
std::string DescribeLimits(const Limits<int64_t>& limits);
std::string DescribeLimits(const Limits<absl::Duration>& limits);

}  // namespace fairlead::model
