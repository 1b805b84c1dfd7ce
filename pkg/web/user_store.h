// UserStore: the users of the web page, in users.json of the page's directory (mode 0600).
//
//   {"users": [{"name": "admin", "role": "Operator", "password": "$scrypt$..."}]}
//
// Thread-safe. Read once, at start. A lost password: remove the file and start the daemon again; it
// then asks for the one-time code of its log as on the first day.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pkg/base/mutex.h"

namespace fairlead::web {

enum class Role {
  kViewer,    // sees everything, changes nothing but the own password
  kOperator,  // drains real servers and manages users
};
const char* RoleName(Role role);  // "Viewer", "Operator"
std::optional<Role> ParseRole(absl::string_view name);

struct User {
  std::string name;
  Role role = Role::kViewer;
  std::string password_hash;  // see password.h
  friend bool operator==(const User&, const User&) = default;
};

// 1 to 64 letters, digits and "._@-".
absl::Status CheckUserName(absl::string_view name);

// The text of the file and back. Errors say what is wrong with it. Pure.
std::string EncodeUsers(const std::vector<User>& users);
absl::StatusOr<std::vector<User>> DecodeUsers(absl::string_view text);

class UserStore {
 public:
  static constexpr size_t kUsersMax = 100;

  // `path` need not exist: no users then. Error: it is there and cannot be read or understood; who
  // took that for "no users" would let anybody set the first password again.
  static absl::StatusOr<std::unique_ptr<UserStore>> Create(const std::string& path);

  bool IsEmpty() const;
  std::optional<User> Find(absl::string_view name) const;
  std::vector<User> List() const;
  // Adds or replaces. Errors: too many, the last operator would be lost, or the file cannot be
  // written (then nothing has changed).
  absl::Status Put(const User& user);
  // The first user of all. Error (AlreadyExists): there is one.
  absl::Status PutFirst(const User& user);
  absl::Status Remove(absl::string_view name);

 private:
  UserStore(std::string path, std::vector<User> users)
      : path_(std::move(path)), users_(std::move(users)) {}
  absl::Status Replace(std::vector<User> users) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  mutable base::Mutex mutex_;
  std::vector<User> users_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::web
