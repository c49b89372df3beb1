// The write path: create, replace, patch, delete, with everything the real server does between
// decoding a body and storing it. Refuses or commits, never half.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/random.h"
#include "controller/base/time.h"
#include "tests/api_model/managed_fields.h"
#include "tests/api_model/patch.h"
#include "tests/api_model/resource_type.h"
#include "tests/api_model/revision_store.h"
#include "tests/api_model/status.h"

namespace jobrun::api_model {

// Largest object, serialized; etcd's default request limit.
inline constexpr std::size_t kObjectBytesMax = 1536 * 1024;

// What a write is about.
struct Target {
  const ResourceType* type = nullptr;
  std::string ns{};
  std::string name{};
  std::string subresource{};  // "" or "status"

  [[nodiscard]] std::string Key() const { return type->namespaced ? ns + "/" + name : name; }
  [[nodiscard]] Subject Named() const { return type->Named(name); }
};

enum class FieldValidation : unsigned char { kIgnore, kWarn, kStrict };

struct WriteOptions {
  Writer writer{};
  bool dry_run = false;
  FieldValidation validation{FieldValidation::kWarn};
  ServerTime now{};
  std::vector<std::string> duplicates{};  // keys that the body had twice
};

// An accepted write. `object` is what is stored now, or would be (dry run); for a deletion the last
// content.
struct Written {
  VersionPtr object{};
  bool created = false;
  bool deleted = false;
  std::vector<std::string> warnings{};
};

struct DeleteOptions {
  std::optional<std::string> uid{};               // precondition
  std::optional<std::string> resource_version{};  // precondition
  std::optional<std::int64_t> grace_seconds{};
};

class ObjectWriter {
 public:
  // References must outlive the writer.
  ObjectWriter(const TypeRegistry& types, RevisionStore& store, Random& random)
      : types_(types), store_(store), random_(random) {}

  // `target.name` is not used.
  Or<Written> Create(const Target& target, Json object, const WriteOptions& options);
  Or<Written> Replace(const Target& target, Json object, const WriteOptions& options);
  Or<Written> Patch(const Target& target, PatchKind kind, const Json& patch,
                    const WriteOptions& options);
  Or<Written> Delete(const Target& target, const DeleteOptions& asked, const WriteOptions& options);

 private:
  // Decoding of a whole object: kinds, unknown fields, defaults.
  Checked Decode(const Target& target, Json& object, const WriteOptions& options,
                 std::vector<std::string>& warnings);
  Checked CheckNamespace(const Target& target);
  // What follows decoding. `managed` is the managedFields of an apply; null for everything else.
  Or<Written> Insert(const Target& target, Json object, const WriteOptions& options,
                     const Json* managed);
  // `next` is the object as asked for, in the form of the type's API version.
  Or<Written> Update(const Target& target, const VersionPtr& live, Json next,
                     const WriteOptions& options, const Json* managed);
  Or<Written> ApplyConfiguration(const Target& target, const Json& applied,
                                 const WriteOptions& options);
  Or<Written> Commit(const Target& target, Json object, const WriteOptions& options);
  Or<Written> Remove(const Target& target, const VersionPtr& live, const WriteOptions& options);
  Or<Written> DeletePod(const Target& target, const VersionPtr& live, const DeleteOptions& asked,
                        const WriteOptions& options);
  void DeleteNamespaceContent(const std::string& ns);

  const TypeRegistry& types_;
  RevisionStore& store_;
  Random& random_;
};

// An object as its type's API version shows it.
[[nodiscard]] Json ShowObject(const ResourceType& type, const Json& stored);

}  // namespace jobrun::api_model
