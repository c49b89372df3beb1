#include "tests/simulation/object.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "controller/base/rfc3339.h"

namespace jobrun::simulation {
namespace {

struct KindText {
  std::string_view api_version;
  std::string_view kind;
};
constexpr std::array<KindText, 3> kKinds = {
    {{"jobrun.dev/v1", "JobRun"}, {"v1", "Pod"}, {"coordination.k8s.io/v1", "Lease"}}};

void AppendFields(std::string& out, const Fields& fields) {
  bool first = true;
  for (const auto& [name, value] : fields) {
    if (!std::exchange(first, false)) out += ',';
    out.append("\"").append(name).append("\":").append(value);
  }
}

void AppendOwners(std::string& out, const Object& object) {
  out += "\"managedFields\":[";
  bool first = true;
  for (const FieldOwner& owner : object.owners) {
    if (!std::exchange(first, false)) out += ',';
    out.append(R"({"apiVersion":"jobrun.dev/v1","fieldsType":"FieldsV1","fieldsV1":{"f:status":{)");
    for (std::size_t i = 0; i < owner.fields.size(); ++i) {
      out.append(i == 0 ? "\"f:" : ",\"f:").append(owner.fields[i]).append("\":{}");
    }
    out.append(R"(}},"manager":")").append(owner.manager);
    out.append(R"(","operation":"Update","subresource":"status","time":")");
    out.append(owner.time).append("\"}");
  }
  out += "],";
}

}  // namespace

std::string_view Unquoted(std::string_view json) {
  if (json.size() < 2 || json.front() != '"') return {};
  return json.substr(1, json.size() - 2);
}

std::string Quoted(std::string_view text) { return nlohmann::json(text).dump(); }

std::string MemberText(std::string_view object, const std::string& name) {
  if (object.empty()) return {};
  const auto parsed = nlohmann::json::parse(object, nullptr, false);
  if (!parsed.is_object() || !parsed.contains(name)) return {};
  return parsed.at(name).dump();
}

std::string_view Object::Status(std::string_view field) const {
  const auto found = status.find(field);
  return found == status.end() ? std::string_view() : Unquoted(found->second);
}

std::string_view Object::Spec(std::string_view field) const {
  const auto found = spec->find(field);
  return found == spec->end() ? std::string_view() : Unquoted(found->second);
}

bool Object::HasFinalizer() const {
  const auto found = metadata->find("finalizers");
  return found != metadata->end() && found->second != "[]";
}

std::string_view Object::Phase() const {
  const std::string_view phase = Status("phase");
  return phase.empty() ? "Pending" : phase;
}

bool Object::IsOver() const {
  const std::string_view phase = Phase();
  return phase != "Pending" && phase != "Running";
}

void Object::Own(const std::string& manager, const std::string& time,
                 const std::vector<std::string>& fields) {
  FieldOwner* mine = nullptr;
  for (FieldOwner& owner : owners) {
    if (owner.manager == manager) mine = &owner;
    if (owner.manager == manager) continue;
    std::erase_if(owner.fields, [&](const std::string& field) {
      return std::ranges::find(fields, field) != fields.end();
    });
  }
  if (mine == nullptr) mine = &owners.emplace_back(FieldOwner{.manager = manager});
  mine->time = time;
  for (const std::string& field : fields) {
    const bool there = status.contains(field);
    const auto known = std::ranges::find(mine->fields, field);
    if (there && known == mine->fields.end()) mine->fields.push_back(field);
    if (!there && known != mine->fields.end()) mine->fields.erase(known);
  }
  std::erase_if(owners, [](const FieldOwner& owner) { return owner.fields.empty(); });
}

void Object::Render() {
  const KindText& what = kKinds.at(static_cast<std::size_t>(kind));
  text.clear();
  text.reserve(1024);
  text.append(R"({"apiVersion":")").append(what.api_version);
  text.append(R"(","kind":")").append(what.kind).append(R"(","metadata":{)");
  text.append(R"("creationTimestamp":")").append(FormatTime(created)).append("\",");
  if (deleted_at) {
    text.append(R"("deletionTimestamp":")").append(FormatTime(*deleted_at)).append("\",");
  }
  if (kind == Kind::kRun) text.append("\"generation\":" + std::to_string(generation) + ",");
  if (!owners.empty()) AppendOwners(text, *this);
  if (!metadata->empty()) {
    AppendFields(text, *metadata);
    text += ',';
  }
  text.append(R"("name":")").append(name).append(R"(","namespace":")").append(name_space);
  text.append(R"(","resourceVersion":")").append(std::to_string(version));
  text.append(R"(","uid":")").append(uid).append("\"},\"spec\":{");
  AppendFields(text, *spec);
  text += '}';
  if (!status.empty()) {
    text += ",\"status\":{";
    AppendFields(text, status);
    text += '}';
  }
  text += '}';
}

}  // namespace jobrun::simulation
