#include "controller/wire/access_review.h"

#include "controller/wire/json_cursor.h"
#include "controller/wire/json_writer.h"
#include "controller/wire/scratch.h"

namespace jobrun {
namespace {

namespace ondemand = json::ondemand;

constexpr std::string_view kVerb = "get";

// Calls each(key, value) for every field of `status`. False: broken JSON, or no status.
template <class Each>
bool EachFieldOfStatus(std::string_view json_text, Each each) {
  std::string buffer;
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object root;
  bool found = false;
  return json::OpenObject(parser, json::CopyPadded(buffer, json_text), document, root) &&
         json::EachField(root,
                         [&](std::string_view key, ondemand::value& value) {
                           if (key != "status" || !json::IsObject(value)) return true;
                           found = true;
                           return json::EachField(value, each);
                         }) &&
         json::AtEnd(document) && found;
}

class UserReader {
 public:
  bool ReadField(std::string_view key, ondemand::value& value) {
    if (key == "username") user.name = Text(value);
    if (key == "uid") user.uid = Text(value);
    if (key == "groups" && json::IsArray(value)) return Raw(value, user.groups_json);
    if (key == "extra" && json::IsObject(value)) return Raw(value, user.extra_json);
    return true;
  }

  ReviewedUser user{};

 private:
  std::string_view Text(ondemand::value& value) {
    return json::Text(value, scratch_).value_or(std::string_view());
  }
  static bool Raw(ondemand::value& value, std::string& into) {
    const auto raw = json::RawValue(value);
    if (raw) into = *raw;
    return raw.has_value();
  }

  Scratch scratch_;
};

void WriteWanted(json::Writer& writer, const WantedAccess& wanted) {
  if (!wanted.path.empty()) {
    writer.Key("nonResourceAttributes").Open();
    writer.Text("path", wanted.path).Text("verb", kVerb).Close();
    return;
  }
  writer.Key("resourceAttributes").Open();
  writer.Text("group", "jobrun.dev").Text("version", "v1").Text("resource", "jobruns");
  writer.Text("namespace", wanted.name_space).Text("name", wanted.name).Text("verb", kVerb).Close();
}

}  // namespace

std::string WriteTokenReview(std::string_view token) {
  json::Writer writer;
  writer.Open().Text("apiVersion", "authentication.k8s.io/v1").Text("kind", "TokenReview");
  writer.Key("spec").Open().Text("token", token).Close();
  return writer.Close().Take();
}

Result<std::optional<ReviewedUser>> ReadTokenReview(std::string_view json_text) {
  bool authenticated = false;
  UserReader reader;
  const bool sound =
      EachFieldOfStatus(json_text, [&](std::string_view key, ondemand::value& value) {
        if (key == "authenticated") authenticated = json::Token(value) == "true";
        if (key != "user" || !json::IsObject(value)) return true;
        return json::EachField(value, [&reader](std::string_view name, ondemand::value& field) {
          return reader.ReadField(name, field);
        });
      });
  if (!sound) {
    return Error{Code::kInvalid, "read a TokenReview", "expected an object with a status"};
  }
  if (!authenticated || reader.user.name.empty()) return std::optional<ReviewedUser>();
  return std::optional(std::move(reader.user));
}

std::string WriteAccessReview(const ReviewedUser& user, const WantedAccess& wanted) {
  json::Writer writer;
  writer.Open().Text("apiVersion", "authorization.k8s.io/v1").Text("kind", "SubjectAccessReview");
  writer.Key("spec").Open().Text("user", user.name);
  if (!user.uid.empty()) writer.Text("uid", user.uid);
  if (!user.groups_json.empty()) writer.Key("groups").Raw(user.groups_json);
  if (!user.extra_json.empty()) writer.Key("extra").Raw(user.extra_json);
  WriteWanted(writer, wanted);
  return writer.Close().Close().Take();
}

Result<bool> ReadAccessReview(std::string_view json_text) {
  bool allowed = false;
  const bool sound =
      EachFieldOfStatus(json_text, [&allowed](std::string_view key, ondemand::value& value) {
        if (key == "allowed") allowed = json::Token(value) == "true";
        return true;
      });
  if (!sound) {
    return Error{Code::kInvalid, "read a SubjectAccessReview", "expected an object with a status"};
  }
  return allowed;
}

}  // namespace jobrun
