// labelSelector and fieldSelector.
#pragma once

#include <string>
#include <vector>

#include "tests/api_model/json.h"
#include "tests/api_model/resource_type.h"
#include "tests/api_model/status.h"

namespace jobrun::api_model {

enum class SelectorOp : unsigned char { kIn, kNotIn, kExists, kAbsent, kGreater, kLess };

struct Requirement {
  std::string key{};
  SelectorOp op{SelectorOp::kExists};
  std::vector<std::string> values{};
  JsonPath path{};  // of fields
};

// All requirements must hold. An empty selector selects everything.
class Selector {
 public:
  // 400 for what can't be parsed and for fields that the type does not offer.
  static Or<Selector> Parse(const ResourceType& type, const std::string& labels,
                            const std::string& fields);

  [[nodiscard]] bool Matches(const Json& object) const;
  [[nodiscard]] bool empty() const { return labels_.empty() && fields_.empty(); }
  // The name that metadata.name= asks for, or "".
  [[nodiscard]] std::string ExactName() const;

 private:
  std::vector<Requirement> labels_{};
  std::vector<Requirement> fields_{};
};

}  // namespace jobrun::api_model
