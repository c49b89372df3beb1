// The syntax tree between the parser and the evaluator of CEL rules. Private to them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/result.h"
#include "tests/api_model/json.h"
#include "tests/api_model/schema.h"

namespace jobrun::api_model::cel {

enum class Op : unsigned char {
  kLiteral,         // literal
  kName,            // text: self, oldSelf or a variable of all()/exists()
  kSelect,          // kids[0].text
  kOptionalSelect,  // kids[0].?text: may be absent
  kHas,             // has(kids[0]), a kSelect
  kOrValue,         // kids[0].orValue(kids[1])
  kHasValue,        // kids[0].hasValue()
  kNot,
  kNegate,
  kAnd,
  kOr,
  kTernary,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kList,
  kIndex,
  kSize,
  kAll,     // kids[0].all(text, kids[1])
  kExists,  // kids[0].exists(text, kids[1])
  kStartsWith,
  kEndsWith,
  kContains,
};

struct Node {
  Op op{Op::kLiteral};
  std::string text{};
  Json literal{};
  std::vector<std::shared_ptr<const Node>> kids{};
  const Schema* schema = nullptr;  // of the value, where it is known
};
using NodePtr = std::shared_ptr<const Node>;

// The tree, and whether oldSelf occurs in it.
struct Parsed {
  NodePtr root{};
  bool mentions_old_self = false;
};
Result<Parsed> Parse(const std::string& rule, const Schema& self);

}  // namespace jobrun::api_model::cel
