#include "controller/engine/core.h"

namespace jobrun {

NamespaceId Namespaces::Intern(std::string_view name) {
  if (!names_.empty() && name == last_) return last_id_;
  last_ = name;
  const auto [found, added] = ids_.emplace(last_, static_cast<NamespaceId>(names_.size()));
  if (added) names_.push_back(last_);
  last_id_ = found->second;
  return last_id_;
}

Subject Core::SubjectOf(const RunRecord& record) const {
  return {.phase = record.phase,
          .being_deleted = record.being_deleted,
          .has_beaten = record.has_beaten,
          .policy = PolicyOf(record),
          .since = record.since,
          .started_at = record.started_at};
}

std::string Core::FullName(const RunRecord& record) const {
  return namespaces.Name(record.name_space) + "/" + record.name.get();
}

}  // namespace jobrun
