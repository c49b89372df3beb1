// Objects as the simulation's API server stores them: one immutable value per version, with its
// text made once. Fields of spec and status are kept as the JSON they were written in.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/time.h"

namespace jobrun::simulation {

enum class Kind : std::uint8_t { kRun, kPod, kLease };

// Name to JSON text. Absent and removed are the same.
using Fields = std::map<std::string, std::string, std::less<>>;

// Who wrote a field of the status last, and when: what metadata.managedFields tells.
struct FieldOwner {
  std::string manager{};
  std::string time{};
  std::vector<std::string> fields{};
};

struct Object {
  Kind kind{Kind::kRun};
  std::string name_space{};
  std::string name{};
  std::string uid{};
  std::uint64_t version{0};
  std::uint64_t generation{1};
  ServerTime created{};
  std::optional<ServerTime> deleted_at{};
  std::shared_ptr<const Fields> metadata{};  // labels, annotations, finalizers, ownerReferences
  std::shared_ptr<const Fields> spec{};
  Fields status{};
  std::vector<FieldOwner> owners{};
  std::string text{};

  // The value of a field of the status that is a string, without its quotes; empty when absent.
  [[nodiscard]] std::string_view Status(std::string_view field) const;
  [[nodiscard]] std::string_view Spec(std::string_view field) const;
  [[nodiscard]] bool HasFinalizer() const;
  [[nodiscard]] std::string Key() const { return name_space + "/" + name; }
  // Succeeded, Failed or Stuck.
  [[nodiscard]] bool IsOver() const;
  // Absent means Pending.
  [[nodiscard]] std::string_view Phase() const;

  // Notes that `manager` has changed these fields of the status.
  void Own(const std::string& manager, const std::string& time,
           const std::vector<std::string>& fields);
  // Makes `text` anew.
  void Render();
};
using ObjectPtr = std::shared_ptr<const Object>;

// A JSON string without its quotes, as it is; empty for anything else.
[[nodiscard]] std::string_view Unquoted(std::string_view json);
[[nodiscard]] std::string Quoted(std::string_view text);
// The JSON text of one member of an object in JSON text; empty when there is none.
[[nodiscard]] std::string MemberText(std::string_view object, const std::string& name);

}  // namespace jobrun::simulation
