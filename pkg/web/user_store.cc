#include "pkg/web/user_store.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "pkg/base/errno_status.h"
#include "pkg/base/replace_file.h"

namespace fairlead::web {
namespace {

using nlohmann::json;

constexpr size_t kNameBytesMax = 64;
constexpr int kFileMode = 0600;

bool HasOperator(const std::vector<User>& users) {
  return std::any_of(users.begin(), users.end(),
                     [](const User& user) { return user.role == Role::kOperator; });
}

auto FindIn(const std::vector<User>& users, absl::string_view name) {
  return std::find_if(users.begin(), users.end(),
                      [name](const User& user) { return user.name == name; });
}

std::string TextOf(const json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

const char* RoleName(Role role) {
  switch (role) {
    case Role::kViewer:
      return "Viewer";
    case Role::kOperator:
      return "Operator";
  }
  return "unknown";
}

std::optional<Role> ParseRole(absl::string_view name) {
  for (const Role role : {Role::kViewer, Role::kOperator}) {
    if (name == RoleName(role)) return role;
  }
  return std::nullopt;
}

absl::Status CheckUserName(absl::string_view name) {
  const bool valid = !name.empty() && name.size() <= kNameBytesMax &&
                     std::all_of(name.begin(), name.end(), [](char letter) {
                       return absl::ascii_isalnum(static_cast<unsigned char>(letter)) ||
                              absl::string_view("._@-").find(letter) != absl::string_view::npos;
                     });
  if (valid) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a user's name is 1 to ", kNameBytesMax,
                                                 " of the characters A-Z a-z 0-9 . _ @ -"));
}

std::string EncodeUsers(const std::vector<User>& users) {
  json list = json::array();
  for (const User& user : users) {
    list.push_back(
        {{"name", user.name}, {"role", RoleName(user.role)}, {"password", user.password_hash}});
  }
  return json({{"users", std::move(list)}})
             .dump(2, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace) +
         "\n";
}

absl::StatusOr<std::vector<User>> DecodeUsers(absl::string_view text) {
  const json root = json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  const auto list = root.is_object() ? root.find("users") : root.end();
  if (!root.is_object() || list == root.end() || !list->is_array()) {
    return absl::InvalidArgumentError("it is not {\"users\": [...]}");
  }
  std::vector<User> users;
  for (const json& entry : *list) {
    if (!entry.is_object()) return absl::InvalidArgumentError("a user is not an object");
    const std::string name = TextOf(entry, "name");
    if (absl::Status status = CheckUserName(name); !status.ok()) return status;
    const std::optional<Role> role = ParseRole(TextOf(entry, "role"));
    if (!role.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("user ", name, ": the role must be Viewer or Operator"));
    }
    if (FindIn(users, name) != users.end()) {
      return absl::InvalidArgumentError(absl::StrCat("user ", name, " is there twice"));
    }
    users.push_back({name, *role, TextOf(entry, "password")});
  }
  if (users.size() > UserStore::kUsersMax) return absl::InvalidArgumentError("too many users");
  return users;
}

absl::StatusOr<std::unique_ptr<UserStore>> UserStore::Create(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  if (!file) {
    if (errno == ENOENT) return std::unique_ptr<UserStore>(new UserStore(path, {}));
    return base::LastErrnoStatus(absl::StrCat("users of the web page: open ", path));
  }
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  absl::StatusOr<std::vector<User>> users = DecodeUsers(text);
  if (!users.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("users of the web page: ", path, " is broken: ", users.status().message(),
                     "; repair it, or remove it to set a first password anew"));
  }
  return std::unique_ptr<UserStore>(new UserStore(path, *std::move(users)));
}

bool UserStore::IsEmpty() const {
  base::MutexLock lock(&mutex_);
  return users_.empty();
}

std::optional<User> UserStore::Find(absl::string_view name) const {
  base::MutexLock lock(&mutex_);
  const auto found = FindIn(users_, name);
  return found == users_.end() ? std::nullopt : std::optional(*found);
}

std::vector<User> UserStore::List() const {
  base::MutexLock lock(&mutex_);
  return users_;
}

absl::Status UserStore::Replace(std::vector<User> users) {
  if (users.size() > kUsersMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", kUsersMax, " users already; remove one first"));
  }
  if (!HasOperator(users)) {
    return absl::FailedPreconditionError("the last operator must stay: make another one first");
  }
  absl::Status status = base::ReplaceFile(path_, EncodeUsers(users), kFileMode);
  if (status.ok()) users_ = std::move(users);
  return status;
}

absl::Status UserStore::Put(const User& user) {
  base::MutexLock lock(&mutex_);
  std::vector<User> users = users_;
  const auto found = FindIn(users, user.name);
  if (found == users.end()) {
    users.push_back(user);
  } else {
    users[static_cast<size_t>(found - users.cbegin())] = user;
  }
  return Replace(std::move(users));
}

absl::Status UserStore::PutFirst(const User& user) {
  base::MutexLock lock(&mutex_);
  if (!users_.empty()) {
    return absl::AlreadyExistsError("the first password has been set already; sign in");
  }
  return Replace({user});
}

absl::Status UserStore::Remove(absl::string_view name) {
  base::MutexLock lock(&mutex_);
  std::vector<User> users = users_;
  const auto found = FindIn(users, name);
  if (found == users.end()) return absl::NotFoundError(absl::StrCat("no user ", name));
  users.erase(users.begin() + (found - users.cbegin()));
  return Replace(std::move(users));
}

}  // namespace fairlead::web
