// The part of CEL that the CRD's validation rules are written in, evaluated as written: so the CRD
// stays the only place where a rule stands. What is outside this part does not compile, and the
// program that loads such a CRD refuses to start.
//
// Known: has(), optional selection (a.?b.orValue(c)), == != < <= > >=, in, && || !, + - * / %, ?:,
// literals, size(), all(), exists(), startsWith(), endsWith(), contains(), and the names self and
// oldSelf. As in the real server, values of format date-time are instants, and in objects without a
// schema a renamed key goes unnoticed. Errors are absorbed by && and || as CEL says.
#pragma once

#include <memory>
#include <string>

#include "controller/base/result.h"
#include "tests/api_model/json.h"

namespace jobrun::api_model {

struct Schema;
namespace cel {
struct Node;
}

enum class CelVerdict : unsigned char { kHolds, kFails, kError };

// A compiled rule; immutable, cheap to copy.
class CelRule {
 public:
  // `self` is the schema of the value that the rule guards; it must outlive the rule.
  static Result<CelRule> Compile(const std::string& rule, const Schema& self);

  // A rule that mentions oldSelf is run on updates only.
  [[nodiscard]] bool is_transition() const { return is_transition_; }
  // `old_self` may be null unless is_transition().
  [[nodiscard]] CelVerdict Evaluate(const Json& self, const Json* old_self) const;

 private:
  std::shared_ptr<const cel::Node> root_{};
  bool is_transition_ = false;
};

}  // namespace jobrun::api_model
