#include "tests/api_model/writer.h"

#include "controller/base/rfc3339.h"
#include "tests/api_model/object_meta.h"
#include "tests/api_model/object_rules.h"
#include "tests/api_model/pod_rules.h"

namespace jobrun::api_model {
namespace {

Json StoredForm(const ResourceType& type, Json object) {
  return type.event_view ? EventToStored(std::move(object)) : object;
}

std::string StrictError(const std::string& what, const std::string& path) {
  return what + " " + Quote(path);
}

bool HasFinalizers(const Json& metadata) {
  const Json* finalizers = Member(metadata, "finalizers");
  return finalizers != nullptr && !finalizers->empty();
}

Checked CheckKind(const ResourceType& type, Json& object) {
  const std::string unrecognized =
      "the object provided is unrecognized (must be of type " + type.kind + "): ";
  if (!object.is_object()) {
    return BadRequest(unrecognized + "couldn't get version/kind; json parse error: not an object");
  }
  const std::string kind(StringMember(object, "kind"));
  const std::string version(StringMember(object, "apiVersion"));
  if (kind.empty() && type.custom) {
    return BadRequest(unrecognized + "Object 'Kind' is missing in '" + Dump(object) + "'");
  }
  if (!version.empty() && version != type.ApiVersion()) {
    return BadRequest("the API version in the data (" + version +
                      ") does not match the expected API version (" + type.ApiVersion() + ")");
  }
  if (!kind.empty() && kind != type.kind && type.custom) {
    const Json metadata = object.value("metadata", Json::object());
    return Invalid({type.group, kind, std::string(StringMember(metadata, "name"))},
                   {InvalidField("kind", kind, "must be " + type.kind)});
  }
  if (!kind.empty() && kind != type.kind) {
    return BadRequest(kind + " in version " + Quote(type.version) + " cannot be handled as a " +
                      type.kind + ": converting (" + kind + ") to (" + type.kind +
                      "): unknown conversion");
  }
  object["kind"] = type.kind;
  object["apiVersion"] = type.ApiVersion();
  return Fine();
}

// Built-in kinds are decoded into Go structs: what has the wrong type can't be read at all.
Checked CheckTypes(const ResourceType& type, const Json& object) {
  if (type.custom) return Fine();
  FieldErrors errors;
  ValidateStructure(*type.schema, object, "", errors);
  for (const FieldError& error : errors) {
    if (error.type != "FieldValueTypeInvalid") continue;
    return BadRequest(type.kind + " in version " + Quote(type.version) +
                      " cannot be handled as a " + type.kind + ": " + error.field + ": " +
                      error.body);
  }
  return Fine();
}

}  // namespace

Json ShowObject(const ResourceType& type, const Json& stored) {
  return type.event_view ? EventFromStored(stored) : stored;
}

Checked ObjectWriter::Decode(const Target& target, Json& object, const WriteOptions& options,
                             std::vector<std::string>& warnings) {
  const ResourceType& type = *target.type;
  if (auto kind = CheckKind(type, object); !kind.ok()) return kind;
  std::vector<std::string> unknown;
  if (auto clean = CleanMetadata(type, types_.metadata(), object, unknown); !clean.ok())
    return clean;
  if (const Json* spec = Member(object, "spec");
      !type.custom && spec != nullptr && spec->is_null()) {
    object.erase("spec");  // As Go's decoder has it.
  }
  if (auto typed = CheckTypes(type, object); !typed.ok()) return typed;
  Prune(*type.schema, object, "", unknown);
  std::vector<std::string> complaints;
  for (const std::string& path : options.duplicates) {
    complaints.push_back(StrictError("duplicate field", path));
  }
  for (const std::string& path : unknown) complaints.push_back(StrictError("unknown field", path));
  if (options.validation == FieldValidation::kStrict && !complaints.empty()) {
    std::string all;
    for (const std::string& complaint : complaints) all += (all.empty() ? "" : ", ") + complaint;
    return BadRequest(type.kind + " in version " + Quote(type.version) +
                      " cannot be handled as a " + type.kind + ": strict decoding error: " + all);
  }
  if (options.validation == FieldValidation::kWarn) warnings = std::move(complaints);
  ApplyDefaults(*type.schema, object);
  FillDecoded(type, object);
  return Fine();
}

Checked ObjectWriter::CheckNamespace(const Target& target) {
  if (!target.type->namespaced) return Fine();
  const ResourceType* namespaces = types_.Find("", "v1", "namespaces");
  if (store_.Get(namespaces->collection, target.ns) == nullptr)
    return NotFound({"", "namespaces", target.ns});
  return Fine();
}

Or<Written> ObjectWriter::Create(const Target& target, Json object, const WriteOptions& options) {
  std::vector<std::string> warnings;
  if (auto decoded = Decode(target, object, options, warnings); !decoded.ok())
    return decoded.refusal();
  auto written = Insert(target, std::move(object), options, nullptr);
  if (written.ok()) written.value().warnings = std::move(warnings);
  return written;
}

Or<Written> ObjectWriter::Insert(const Target& target, Json object, const WriteOptions& options,
                                 const Json* managed) {
  const ResourceType& type = *target.type;
  Target named = target;
  Json& metadata = object["metadata"];
  const std::string ns(StringMember(metadata, "namespace"));
  if (type.namespaced && !ns.empty() && ns != target.ns) {
    return BadRequest(
        "the namespace of the provided object does not match the namespace sent on the request");
  }
  metadata.erase("namespace");
  if (type.namespaced) metadata["namespace"] = target.ns;
  if (!StringMember(metadata, "resourceVersion").empty()) {
    return UntypedError("resourceVersion should not be set on objects to be created");
  }
  const std::string prefix(StringMember(metadata, "generateName"));
  if (StringMember(metadata, "name").empty() && !prefix.empty()) {
    metadata["name"] = GenerateName(prefix, random_);
  }
  named.name = StringMember(metadata, "name");
  if (auto exists = CheckNamespace(named); !exists.ok()) return exists.refusal();
  if (type.status_subresource) object.erase("status");
  FillNewMetadata(type, metadata, options.now, random_);
  DefaultNewObject(type, object);
  FieldErrors errors = Validate(*type.schema, object, nullptr, ValidateMetadata(type, metadata));
  if (managed == nullptr) {
    TrackUpdate(type, options.writer, Json::object(), object, options.now);
  } else {
    metadata["managedFields"] = *managed;
  }
  PrepareNewObject(type, object, options.now);
  Json stored = StoredForm(type, std::move(object));
  const FieldErrors kind_errors = ValidateKind(type, stored, nullptr);
  errors.insert(errors.end(), kind_errors.begin(), kind_errors.end());
  if (!errors.empty()) return Invalid(type.KindNamed(named.name), errors);
  if (const VersionPtr there = store_.Get(type.collection, named.Key()); there != nullptr) {
    Refusal exists = AlreadyExists(named.Named());
    if (Member(there->value.at("metadata"), "deletionTimestamp") != nullptr) {
      const std::string message(StringMember(exists.body, "message"));
      exists.body["message"] = "object is being deleted: " + message;
    }
    return exists;
  }
  auto committed = Commit(named, std::move(stored), options);
  if (committed.ok()) committed.value().created = true;
  return committed;
}

Or<Written> ObjectWriter::Commit(const Target& target, Json object, const WriteOptions& options) {
  if (Dump(object).size() > kObjectBytesMax)
    return UntypedError("etcdserver: request is too large");
  Written written;
  if (options.dry_run) {
    auto version = std::make_shared<Version>();
    version->key = target.Key();
    version->text = Dump(object);
    version->value = std::move(object);
    written.object = std::move(version);
  } else {
    written.object = store_.Put(target.type->collection, target.Key(), std::move(object));
  }
  return written;
}

Or<Written> ObjectWriter::Delete(const Target& target, const DeleteOptions& asked,
                                 const WriteOptions& options) {
  const VersionPtr live = store_.Get(target.type->collection, target.Key());
  if (live == nullptr) return NotFound(target.Named());
  const Json& metadata = live->value.at("metadata");
  const std::string uid(StringMember(metadata, "uid"));
  const std::string revision(StringMember(metadata, "resourceVersion"));
  if (asked.uid && *asked.uid != uid) {
    return Conflict(target.type->KindNamed(target.name),
                    "the UID in the precondition (" + *asked.uid +
                        ") does not match the UID in record (" + uid +
                        "). The object might have been deleted and then recreated");
  }
  if (asked.resource_version && *asked.resource_version != revision) {
    return Conflict(target.type->KindNamed(target.name),
                    "the ResourceVersion in the precondition (" + *asked.resource_version +
                        ") does not match the ResourceVersion in record (" + revision +
                        "). The object might have been modified");
  }
  if (IsPod(*target.type)) return DeletePod(target, live, asked, options);
  if (!HasFinalizers(metadata)) return Remove(target, live, options);
  Written pending;
  pending.object = live;
  if (Member(metadata, "deletionTimestamp") != nullptr) return pending;
  Json marked = live->value;
  marked["metadata"]["deletionTimestamp"] = FormatTime(options.now);
  marked["metadata"]["deletionGracePeriodSeconds"] = 0;
  if (target.type->generation) {
    marked["metadata"]["generation"] = marked["metadata"].value("generation", std::int64_t{0}) + 1;
  }
  return Commit(target, std::move(marked), options);
}

// Always two steps, each of which a watch shows: it is marked, then it goes.
Or<Written> ObjectWriter::DeletePod(const Target& target, const VersionPtr& live,
                                    const DeleteOptions& asked, const WriteOptions& options) {
  auto marked = MarkDeleted(live->value, asked.grace_seconds, options.now);
  if (!marked) {
    Written as_it_is;
    as_it_is.object = live;
    return as_it_is;
  }
  const Json metadata = marked->at("metadata");
  auto committed = Commit(target, std::move(*marked), options);
  const bool stays = HasFinalizers(metadata) || WaitsForItsKubelet(metadata);
  if (!committed.ok() || stays || options.dry_run) return committed;
  return Remove(target, committed.value().object, options);
}

Or<Written> ObjectWriter::Remove(const Target& target, const VersionPtr& live,
                                 const WriteOptions& options) {
  Written written;
  written.deleted = true;
  written.object = live;
  if (options.dry_run) return written;
  if (target.type->plural == "namespaces") DeleteNamespaceContent(target.name);
  written.object = store_.Delete(target.type->collection, target.Key());
  return written;
}

// There is no namespace controller: a deleted namespace goes at once, with what is in it.
void ObjectWriter::DeleteNamespaceContent(const std::string& ns) {
  for (const auto& type : types_.types()) {
    if (!type->namespaced || type->event_view) continue;
    std::vector<std::string> keys;
    store_.Visit(type->collection, store_.revision(), ns + "/", "", [&](const VersionPtr& version) {
      keys.push_back(version->key);
      return true;
    });
    for (const std::string& key : keys) store_.Delete(type->collection, key);
  }
}

}  // namespace jobrun::api_model
