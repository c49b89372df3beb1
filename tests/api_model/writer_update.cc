// Replace, patch and apply: all end in one Update of the live object.
#include "controller/base/rfc3339.h"
#include "tests/api_model/object_meta.h"
#include "tests/api_model/object_rules.h"
#include "tests/api_model/pod_rules.h"
#include "tests/api_model/writer.h"

namespace jobrun::api_model {
namespace {

// With its status a pod's labels and annotations can be changed; not so with custom resources.
void KeepLabels(const Json& next, Json& metadata) {
  for (const char* key : {"labels", "annotations"}) {
    metadata.erase(key);
    if (const Json* value = Member(next, key)) metadata[key] = *value;
  }
}

// The status subresource changes nothing but the status; the main resource everything but it.
void Isolate(const Target& target, const Json& live, Json& next) {
  if (!target.type->status_subresource) return;
  if (target.subresource == "status") {
    Json kept = live;
    kept.erase("status");
    if (Json* status = Member(next, "status")) kept["status"] = std::move(*status);
    if (IsPod(*target.type)) KeepLabels(next.at("metadata"), kept["metadata"]);
    next = std::move(kept);
    return;
  }
  next.erase("status");
  if (const Json* status = Member(live, "status")) next["status"] = *status;
}

// Labels and the like don't count; for pods neither does the status.
bool DesiredStateChanged(const Json& live, const Json& next) {
  for (const Json* side : {&live, &next}) {
    for (const auto& [key, value] : side->items()) {
      if (key == "metadata" || key == "status") continue;
      const Json* before = Member(live, key);
      const Json* after = Member(next, key);
      if (before == nullptr || after == nullptr || *before != *after) return true;
    }
  }
  return false;
}

Refusal Unparsable(const std::string& version) {
  return UntypedError("strconv.ParseUint: parsing " + Quote(version) + ": invalid syntax");
}

Checked CheckResourceVersion(const Target& target, const Json& metadata, const Version& live) {
  const std::string asked(StringMember(metadata, "resourceVersion"));
  if (asked.empty() || asked == "0") {
    if (target.type->unconditional_update) return Fine();
    return Invalid(target.Named(), {InvalidField("metadata.resourceVersion", 0,
                                                 "must be specified for an update")});
  }
  if (asked.find_first_not_of("0123456789") != std::string::npos) {
    return Unparsable(asked);
  }
  return asked == std::to_string(live.revision) ? Fine() : Checked(Modified(target.Named()));
}

// Only a deletion sets it.
FieldErrors CheckDeletionTime(const Json& before, const Json& metadata) {
  const std::string asked(StringMember(metadata, "deletionTimestamp"));
  if (asked.empty() || asked == StringMember(before, "deletionTimestamp")) return {};
  return {InvalidField("metadata.deletionTimestamp", asked, "field is immutable")};
}

Checked CheckNames(const Target& target, const Json& metadata) {
  const std::string name(StringMember(metadata, "name"));
  const std::string ns(StringMember(metadata, "namespace"));
  if (name.empty()) {
    return BadRequest("the name of the object (" + target.name +
                      " based on URL) was undeterminable: name must be provided");
  }
  if (name != target.name) {
    return BadRequest("the name of the object (" + name + ") does not match the name on the URL (" +
                      target.name + ")");
  }
  if (!ns.empty() && ns != target.ns) {
    return BadRequest("the namespace of the object (" + ns +
                      ") does not match the namespace on the request (" + target.ns + ")");
  }
  return Fine();
}

Refusal UidConflict(const Target& target, const std::string& asked, const std::string& actual) {
  const std::string group = target.type->custom ? target.type->group + "/" : "";
  return Conflict(target.Named(),
                  "StorageError: invalid object, Code: 4, Key: /registry/" + group +
                      target.type->plural + "/" + target.Key() +
                      ", ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
                      "precondition: " +
                      asked + ", UID in object meta: " + actual);
}

Checked CheckUid(const Target& target, const Json& object, const Version& live) {
  const Json* metadata = Member(object, "metadata");
  const std::string asked(metadata == nullptr ? std::string_view()
                                              : StringMember(*metadata, "uid"));
  const std::string actual(StringMember(live.value.at("metadata"), "uid"));
  return asked.empty() || asked == actual ? Fine() : Checked(UidConflict(target, asked, actual));
}

Json StoredForm(const ResourceType& type, Json object) {
  return type.event_view ? EventToStored(std::move(object)) : object;
}

// A configuration of server-side apply must not carry what the server keeps.
Checked CheckApplied(const Target& target, const Json& applied, const WriteOptions& options) {
  const ResourceType& type = *target.type;
  if (!applied.is_object()) return BadRequest("error decoding YAML: not an object");
  if (options.writer.manager.empty()) {
    return Invalid({"meta.k8s.io", "PatchOptions", ""},
                   {RequiredField("fieldManager", "is required for apply patch")});
  }
  const Json* metadata = Member(applied, "metadata");
  if (metadata != nullptr && Member(*metadata, "managedFields") != nullptr) {
    return BadRequest("metadata.managedFields must be nil");
  }
  if (StringMember(applied, "kind") != type.kind ||
      StringMember(applied, "apiVersion") != type.ApiVersion()) {
    return BadRequest("Incorrect version specified in apply patch. Specified patch version: " +
                      std::string(StringMember(applied, "apiVersion")) +
                      ", expected: " + type.ApiVersion());
  }
  return CheckNames(target, metadata == nullptr ? Json::object() : *metadata);
}

}  // namespace

Or<Written> ObjectWriter::Replace(const Target& target, Json object, const WriteOptions& options) {
  const ResourceType& type = *target.type;
  std::vector<std::string> warnings;
  if (auto decoded = Decode(target, object, options, warnings); !decoded.ok())
    return decoded.refusal();
  if (auto named = CheckNames(target, object["metadata"]); !named.ok()) return named.refusal();
  const VersionPtr live = store_.Get(type.collection, target.Key());
  if (live == nullptr) {
    if (!type.create_on_update || !target.subresource.empty()) return NotFound(target.Named());
    const std::string uid(StringMember(object["metadata"], "uid"));
    if (!uid.empty()) return UidConflict(target, uid, "");
    const std::string version(StringMember(object["metadata"], "resourceVersion"));
    if (version.find_first_not_of("0123456789") != std::string::npos) return Unparsable(version);
    object["metadata"].erase("resourceVersion");
    auto created = Create(target, std::move(object), options);
    if (created.ok()) created.value().warnings = std::move(warnings);
    return created;
  }
  if (auto same = CheckUid(target, object, *live); !same.ok()) return same.refusal();
  auto written = Update(target, live, std::move(object), options, nullptr);
  if (written.ok()) written.value().warnings = std::move(warnings);
  return written;
}

Or<Written> ObjectWriter::Patch(const Target& target, PatchKind kind, const Json& patch,
                                const WriteOptions& options) {
  const ResourceType& type = *target.type;
  if (kind == PatchKind::kApply) return ApplyConfiguration(target, patch, options);
  const VersionPtr live = store_.Get(type.collection, target.Key());
  if (live == nullptr) return NotFound(target.Named());
  auto patched = ApplyPatch(type, kind, ShowObject(type, live->value), patch);
  if (!patched.ok()) return patched.refusal();
  const std::string version(StringMember(patched.value(), "apiVersion"));
  if (type.custom && version != type.ApiVersion() && !version.empty()) {
    return Invalid({type.group, type.kind, target.name},
                   {InvalidField("apiVersion", version, "must be " + type.ApiVersion())});
  }
  std::vector<std::string> warnings;
  if (auto decoded = Decode(target, patched.value(), options, warnings); !decoded.ok()) {
    // What a patch leads to is judged as the patch itself: 422.
    if (decoded.refusal().code != 400) return decoded.refusal();
    const std::string text(StringMember(decoded.refusal().body, "message"));
    const auto strict = text.find("strict decoding error");
    FieldError error = InvalidField("patch", Dump(patch),
                                    strict == std::string::npos ? text : text.substr(strict));
    return Invalid({}, {std::move(error)});
  }
  if (auto named = CheckNames(target, patched.value()["metadata"]); !named.ok())
    return named.refusal();
  auto written = Update(target, live, std::move(patched.value()), options, nullptr);
  if (written.ok()) written.value().warnings = std::move(warnings);
  return written;
}

Or<Written> ObjectWriter::ApplyConfiguration(const Target& target, const Json& applied,
                                             const WriteOptions& options) {
  const ResourceType& type = *target.type;
  if (auto fit = CheckApplied(target, applied, options); !fit.ok()) return fit.refusal();
  const VersionPtr live = store_.Get(type.collection, target.Key());
  if (live == nullptr && !target.subresource.empty()) return NotFound(target.Named());
  Json configuration = applied;
  std::vector<std::string> warnings;
  if (auto decoded = Decode(target, configuration, options, warnings); !decoded.ok()) {
    return decoded.refusal();
  }
  // Defaults are the server's, not the applier's: own only what was sent.
  std::vector<std::string> unknown;
  configuration = applied;
  Prune(*type.schema, configuration, "", unknown);
  if (!unknown.empty()) {
    return UntypedError("failed to create typed patch object (" + target.Key() + "; " +
                        type.ApiVersion() + ", Kind=" + type.kind + "): ." + unknown[0] +
                        ": field not declared in schema");
  }
  Json before = live == nullptr ? Json::object() : live->value;
  auto merged = Apply(type, options.writer, before, StoredForm(type, configuration), options.now);
  if (!merged.ok()) return merged.refusal();
  Json next = std::move(merged.value());
  const Json managed = next["metadata"].value("managedFields", Json());
  if (live != nullptr) return Update(target, live, ShowObject(type, next), options, &managed);
  next = ShowObject(type, next);
  if (auto decoded = Decode(target, next, options, warnings); !decoded.ok())
    return decoded.refusal();
  return Insert(target, std::move(next), options, &managed);
}

Or<Written> ObjectWriter::Update(const Target& target, const VersionPtr& live, Json next,
                                 const WriteOptions& options, const Json* managed) {
  const ResourceType& type = *target.type;
  const Json before = ShowObject(type, live->value);
  if (auto fresh = CheckResourceVersion(target, next["metadata"], *live); !fresh.ok()) {
    return fresh.refusal();
  }
  Isolate(target, before, next);
  Json& metadata = next["metadata"];
  FieldErrors errors = CheckDeletionTime(before.at("metadata"), metadata);
  metadata["resourceVersion"] = std::to_string(live->revision);
  if (type.namespaced) metadata["namespace"] = target.ns;
  KeepServerMetadata(before.at("metadata"), metadata);
  if (type.generation && DesiredStateChanged(before, next)) {
    metadata["generation"] = metadata.value("generation", std::int64_t{0}) + 1;
  }
  const FieldErrors names = ValidateMetadataUpdate(before.at("metadata"), metadata);
  errors.insert(errors.end(), names.begin(), names.end());
  errors = Validate(*type.schema, next, &before, std::move(errors));
  if (managed == nullptr) {
    TrackUpdate(type, options.writer, before, next, options.now);
  } else {
    metadata["managedFields"] = *managed;
  }
  Json stored = StoredForm(type, std::move(next));
  const FieldErrors kind_errors = ValidateKind(type, stored, &live->value);
  errors.insert(errors.end(), kind_errors.begin(), kind_errors.end());
  if (!errors.empty()) return Invalid(type.KindNamed(target.name), errors);

  const Json* finalizers = MemberAt(stored, {"metadata", "finalizers"});
  const bool finalized = Member(stored["metadata"], "deletionTimestamp") != nullptr &&
                         (finalizers == nullptr || finalizers->empty()) &&
                         !WaitsForItsKubelet(stored["metadata"]);
  if (finalized) {
    auto removed = Remove(target, live, options);
    if (!removed.ok()) return removed;
    // The answer is the object as asked for, without its finalizers.
    auto version = std::make_shared<Version>();
    version->text = Dump(stored);
    version->value = std::move(stored);
    removed.value().object = std::move(version);
    return removed;
  }
  if (stored == live->value) {
    Written same;
    same.object = live;
    return same;
  }
  return Commit(target, std::move(stored), options);
}

}  // namespace jobrun::api_model
