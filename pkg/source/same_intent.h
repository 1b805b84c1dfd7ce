// Compares objects by what they want, not by where they are written.
#pragma once

namespace fairlead::source {

template <typename T>
bool SameIntent(const T& left, const T& right) {
  if (left.location == right.location) return left == right;
  T moved = left;
  moved.location = right.location;
  return moved == right;
}

}  // namespace fairlead::source
