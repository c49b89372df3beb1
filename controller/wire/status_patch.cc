#include "controller/wire/status_patch.h"

#include "controller/base/rfc3339.h"
#include "controller/model/observed_run.h"

namespace jobrun {
namespace {

// Appends fields to one JSON object after the other; what goes in is known to be complete.
class Writer {
 public:
  Writer& Open() {
    text_ += '{';
    return *this;
  }
  Writer& Close() {
    text_ += '}';
    return *this;
  }
  Writer& Key(std::string_view name) {
    if (text_.back() != '{' && text_.back() != '[') text_ += ',';
    AppendJsonString(text_, name);
    text_ += ':';
    return *this;
  }
  Writer& Raw(std::string_view json) {
    text_ += json;
    return *this;
  }
  Writer& Text(std::string_view name, std::string_view value) {
    Key(name);
    AppendJsonString(text_, value);
    return *this;
  }
  Writer& Number(std::string_view name, std::uint64_t value) {
    return Key(name).Raw(std::to_string(value));
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

// Opens the patch up to the fields of the status. The version is the precondition: the API server
// answers 409 when the object has moved on.
Writer OpenStatusPatch(std::uint64_t resource_version) {
  Writer writer;
  writer.Open().Key("metadata").Open();
  writer.Text("resourceVersion", std::to_string(resource_version)).Close();
  writer.Key("status").Open();
  return writer;
}

void WriteCondition(Writer& writer, const VerdictPatch& patch) {
  const ReasonInfo& reason = Info(patch.reason);
  const bool stuck = reason.phase == Phase::kStuck;
  writer.Open()
      .Text("type", stuck ? kStuckCondition : kSucceededCondition)
      .Text("status", stuck ? "True" : "False")
      .Text("reason", reason.name)
      .Text("message", patch.message)
      .Text("lastTransitionTime", FormatTime(patch.at))
      .Number("observedGeneration", patch.generation)
      .Close();
}

}  // namespace

std::string WriteVerdictPatch(const VerdictPatch& patch) {
  const ReasonInfo& reason = Info(patch.reason);
  Writer writer = OpenStatusPatch(patch.resource_version);
  writer.Text("phase", PhaseName(reason.phase))
      .Text("reason", reason.name)
      .Text("message", patch.message)
      .Text("verdictID", patch.verdict_id)
      .Text("completionTime", FormatMicroTime(patch.at))
      .Number("observedGeneration", patch.generation)
      .Key("conditions")
      .Raw("[");
  if (!patch.foreign_conditions.empty()) writer.Raw(patch.foreign_conditions).Raw(",");
  WriteCondition(writer, patch);
  return writer.Raw("]").Close().Close().Take();
}

std::string WriteVisitPatch(const VisitPatch& patch) {
  Writer writer = OpenStatusPatch(patch.resource_version);
  return writer.Text("startTime", FormatMicroTime(patch.start_time)).Close().Close().Take();
}

}  // namespace jobrun
