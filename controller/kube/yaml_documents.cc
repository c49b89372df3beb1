#include "controller/kube/yaml_documents.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

namespace jobrun {
namespace {

// Where the latest document began, and whether anything is in it.
struct DocumentStart final : YAML::EventHandler {
  void OnDocumentStart(const YAML::Mark& at) override {
    mark = at;
    filled = false;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override { filled = true; }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {
    filled = true;
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    filled = true;
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    filled = true;
  }
  void OnMapEnd() override {}

  YAML::Mark mark{};
  bool filled{false};
};

}  // namespace

std::optional<YAML::Mark> FindFurtherDocument(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStart start;
  if (!parser.HandleNextDocument(start)) return std::nullopt;
  try {
    for (int before = start.mark.pos; parser.HandleNextDocument(start); before = start.mark.pos) {
      // From some texts ("[],") yaml-cpp reads empty documents for ever and comes no further.
      if (start.filled || start.mark.pos == before) return start.mark;
    }
  } catch (const YAML::Exception&) {
    return start.mark;
  }
  return std::nullopt;
}

}  // namespace jobrun
