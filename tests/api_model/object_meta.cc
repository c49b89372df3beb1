#include "tests/api_model/object_meta.h"

#include <algorithm>
#include <array>

#include "controller/base/rfc3339.h"

namespace jobrun::api_model {
namespace {

constexpr std::size_t kNameMax = 253;
constexpr std::size_t kLabelMax = 63;
constexpr std::size_t kGeneratedPrefixMax = 58;
constexpr std::size_t kAnnotationsBytesMax = 256 * 1024;

constexpr const char* kNotSubdomain =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation "
    "is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr const char* kNotLabelValue =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
    "regex used for "
    "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
constexpr const char* kNotQualifiedName =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

bool IsLower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsAlnum(char c) { return IsLower(c) || (c >= 'A' && c <= 'Z'); }

bool IsDnsLabel(std::string_view text) {
  return !text.empty() && IsLower(text.front()) && IsLower(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsLower(c) || c == '-'; });
}

bool IsDnsSubdomain(std::string_view text) {
  const auto parts = Split(text, '.');
  return std::all_of(parts.begin(), parts.end(), [](const auto& part) { return IsDnsLabel(part); });
}

bool IsLabelText(std::string_view text) {
  return text.empty() || (IsAlnum(text.front()) && IsAlnum(text.back()) &&
                          std::all_of(text.begin(), text.end(), [](char c) {
                            return IsAlnum(c) || c == '-' || c == '_' || c == '.';
                          }));
}

bool IsQualifiedName(const std::string& text) {
  const auto slash = text.find('/');
  const std::string name = slash == std::string::npos ? text : text.substr(slash + 1);
  if (slash != std::string::npos && !IsDnsSubdomain(text.substr(0, slash))) return false;
  return !name.empty() && name.size() <= kLabelMax && IsLabelText(name);
}

void CheckLabels(const Json& metadata, FieldErrors& errors) {
  const Json* labels = Member(metadata, "labels");
  if (labels == nullptr) return;
  for (const auto& [key, value] : labels->items()) {
    if (!IsQualifiedName(key))
      errors.push_back(InvalidField("metadata.labels", key, kNotQualifiedName));
    const std::string text = value.is_string() ? value.get<std::string>() : "";
    if (text.size() > kLabelMax) {
      errors.push_back(InvalidField("metadata.labels", text, "must be no more than 63 bytes"));
    }
    if (!IsLabelText(text)) errors.push_back(InvalidField("metadata.labels", text, kNotLabelValue));
  }
}

void CheckAnnotations(const Json& metadata, FieldErrors& errors) {
  const Json* annotations = Member(metadata, "annotations");
  if (annotations == nullptr) return;
  std::size_t bytes = 0;
  for (const auto& [key, value] : annotations->items()) {
    bytes += key.size() + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
    if (!IsQualifiedName(key)) {
      errors.push_back(InvalidField("metadata.annotations", key, kNotQualifiedName));
    }
  }
  if (bytes > kAnnotationsBytesMax) {
    errors.push_back(TooLongField("metadata.annotations", kAnnotationsBytesMax));
  }
}

std::string GoKind(const Json& value) {
  if (value.is_number()) return "number";
  if (value.is_boolean()) return "bool";
  return value.type_name();
}

// How Go's decoder words a member of the wrong type. Good enough: the type it names is that of
// strings.
std::string GoTypeError(const std::string& name, const Schema& schema, const Json& value) {
  const Json* culprit = &value;
  if (value.is_structured() && schema.type == (value.is_object() ? "object" : "array")) {
    for (const Json& item : value) {
      if (!item.is_string()) culprit = &item;
    }
  }
  return "json: cannot unmarshal " + GoKind(*culprit) + " into Go struct field ObjectMeta." + name +
         " of type " + (culprit == &value && schema.type != "string" ? schema.type : "string");
}

// As Go's decoder takes them: a null value of a map of strings is "", and what is empty is absent.
void NormalizeMetadata(Json& metadata) {
  for (const char* name : {"labels", "annotations"}) {
    Json* map = Member(metadata, name);
    if (map == nullptr || !map->is_object()) continue;
    for (auto& [key, value] : map->items()) {
      if (value.is_null()) value = "";
    }
  }
  for (auto it = metadata.begin(); it != metadata.end();) {
    const bool is_map = it.key() == "labels" || it.key() == "annotations";
    const bool empty =
        it->is_null() || ((is_map ? it->is_object() : it->is_array()) && it->empty());
    it = empty ? metadata.erase(it) : std::next(it);
  }
}

void CheckFinalizers(const Json& metadata, FieldErrors& errors) {
  const Json* finalizers = Member(metadata, "finalizers");
  if (finalizers == nullptr) return;
  for (const Json& finalizer : *finalizers) {
    const std::string name = finalizer.get<std::string>();
    if (!IsQualifiedName(name)) {
      errors.push_back(InvalidField("metadata.finalizers", name, kNotQualifiedName));
    }
  }
}

void CheckOwners(const Json& metadata, FieldErrors& errors) {
  const Json* owners = Member(metadata, "ownerReferences");
  if (owners == nullptr) return;
  for (const Json& owner : *owners) {
    for (const char* key : {"apiVersion", "kind", "name", "uid"}) {
      if (!StringMember(owner, key).empty()) continue;
      errors.push_back(
          InvalidField(std::string("metadata.ownerReferences.") + key, "", "must not be empty"));
    }
  }
}

}  // namespace

std::string MakeUid(Random& random) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string uid;
  std::uint64_t bits = 0;
  for (int i = 0; i < 32; ++i) {
    if (i % 16 == 0) bits = random.Next();
    if (i == 8 || i == 12 || i == 16 || i == 20) uid += '-';
    std::uint64_t nibble = bits & 0xFU;
    if (i == 12) nibble = 4;
    if (i == 16) nibble = 8U | (nibble & 3U);
    uid += kHex[nibble];
    bits >>= 4U;
  }
  return uid;
}

std::string GenerateName(std::string prefix, Random& random) {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  if (prefix.size() > kGeneratedPrefixMax) prefix.resize(kGeneratedPrefixMax);
  for (int i = 0; i < 5; ++i) prefix += kLetters[random.Below(kLetters.size())];
  return prefix;
}

Checked CleanMetadata(const ResourceType& type, const Schema& schema, Json& object,
                      std::vector<std::string>& removed) {
  Json* metadata = Member(object, "metadata");
  if (metadata == nullptr || metadata->is_null()) {
    object["metadata"] = Json::object();
    return Fine();
  }
  const std::string cannot = type.kind + " in version " + Quote(type.version) +
                             " cannot be handled as a " + type.kind + ": ";
  if (metadata->is_object()) {
    std::vector<std::string> unknown;
    Prune(schema, *metadata, "metadata", unknown);
    removed.insert(removed.end(), unknown.begin(), unknown.end());
    ApplyDefaults(schema, *metadata);
    NormalizeMetadata(*metadata);
    for (const auto& [name, value] : metadata->items()) {
      const Schema* member = schema.Property(name);
      FieldErrors wrong;
      if (member != nullptr) ValidateStructure(*member, value, name, wrong);
      if (!wrong.empty()) return BadRequest(cannot + GoTypeError(name, *member, value));
    }
    return Fine();
  }
  return BadRequest(cannot + "json: cannot unmarshal " + GoKind(*metadata) +
                    " into Go value of type v1.ObjectMeta");
}

void FillNewMetadata(const ResourceType& type, Json& metadata, ServerTime now, Random& random) {
  for (const char* key : {"selfLink", "deletionTimestamp", "deletionGracePeriodSeconds",
                          "generation", "managedFields", "resourceVersion"}) {
    metadata.erase(key);
  }
  metadata["uid"] = MakeUid(random);
  metadata["creationTimestamp"] = FormatTime(now);
  if (type.generation) metadata["generation"] = 1;
}

void KeepServerMetadata(const Json& before, Json& metadata) {
  const auto keep = [&](const char* key) {
    if (const Json* value = Member(before, key)) {
      metadata[key] = *value;
    } else {
      metadata.erase(key);
    }
  };
  for (const char* key : {"generation", "creationTimestamp", "deletionTimestamp",
                          "deletionGracePeriodSeconds", "managedFields", "selfLink"}) {
    keep(key);
  }
  if (StringMember(metadata, "uid").empty()) keep("uid");
}

FieldErrors ValidateMetadata(const ResourceType& type, const Json& metadata) {
  FieldErrors errors;
  const std::string name(StringMember(metadata, "name"));
  if (name.empty()) {
    errors.push_back(RequiredField("metadata.name", "name or generateName is required"));
  } else if (name.size() > kNameMax) {
    errors.push_back(InvalidField("metadata.name", name, "must be no more than 253 bytes"));
  } else if (!IsDnsSubdomain(name)) {
    errors.push_back(InvalidField("metadata.name", name, kNotSubdomain));
  }
  if (type.namespaced && StringMember(metadata, "namespace").empty()) {
    errors.push_back(RequiredField("metadata.namespace"));
  }
  CheckLabels(metadata, errors);
  CheckAnnotations(metadata, errors);
  CheckFinalizers(metadata, errors);
  CheckOwners(metadata, errors);
  return errors;
}

FieldErrors ValidateMetadataUpdate(const Json& before, const Json& metadata) {
  FieldErrors errors;
  for (const char* key : {"name", "namespace", "uid"}) {
    if (StringMember(before, key) != StringMember(metadata, key)) {
      errors.push_back(InvalidField(std::string("metadata.") + key,
                                    std::string(StringMember(metadata, key)),
                                    "field is immutable"));
    }
  }
  if (Member(before, "deletionTimestamp") != nullptr && Member(metadata, "finalizers") != nullptr) {
    const Json* old_list = Member(before, "finalizers");
    for (const Json& finalizer : metadata["finalizers"]) {
      if (old_list != nullptr &&
          std::find(old_list->begin(), old_list->end(), finalizer) != old_list->end()) {
        continue;
      }
      errors.push_back(
          ForbiddenField("metadata.finalizers",
                         "no new finalizers can be added if the object is being deleted, found new "
                         "finalizers []string{" +
                             Dump(finalizer) + "}"));
    }
  }
  CheckLabels(metadata, errors);
  CheckAnnotations(metadata, errors);
  CheckFinalizers(metadata, errors);
  CheckOwners(metadata, errors);
  return errors;
}

}  // namespace jobrun::api_model
