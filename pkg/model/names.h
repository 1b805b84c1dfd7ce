// The syntax of names and labels: Kubernetes' rules, so that a manifest that is good in a file is
// good for `kubectl apply`.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::model {

// Each returns "" when `text` is well formed, else the sentence that says what is wrong and, where
// one can be made, a name that would do.

// Object names: RFC 1123 subdomain, 1..253 bytes of lower-case letters, digits, '-' and '.'.
std::string NameProblem(absl::string_view text);
// Host names: RFC 1123 §2.1: labels of 1..63 letters, digits and '-', at most 253 bytes, the last
// label not a number. A dot at the end is allowed: the name as it is, without search domains.
std::string HostNameProblem(absl::string_view text);
// Namespaces: RFC 1123 label, 1..63 bytes of lower-case letters, digits and '-'.
std::string NamespaceProblem(absl::string_view text);
// Names of Kubernetes Services: RFC 1035 label, 1..63 bytes, which begins with a letter.
std::string ServiceNameProblem(absl::string_view text);
// Names of their ports: RFC 1123 label with a letter in it, so that no number is taken for one.
std::string PortNameProblem(absl::string_view text);
// "[prefix/]name": the prefix a subdomain, the name 1..63 bytes of letters, digits, '-', '_', '.'.
std::string LabelKeyProblem(absl::string_view text);
// Empty, or as the name of a label key.
std::string LabelValueProblem(absl::string_view text);

}  // namespace fairlead::model
