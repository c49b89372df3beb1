#include <algorithm>

#include "controller/base/rfc3339.h"
#include "tests/api_model/cel_ast.h"

namespace jobrun::api_model {
namespace cel {
namespace {

// A value that is borrowed from the object or the tree, or made here; absent for an optional
// selection without a value; or an error.
class Value {
 public:
  enum class State : unsigned char { kPresent, kAbsent, kError };

  explicit Value(const Json* borrowed) : borrowed_(borrowed) {}
  explicit Value(Json made) : made_(std::move(made)) {}
  static Value Absent() { return Value(State::kAbsent); }
  static Value Fault() { return Value(State::kError); }

  bool present() const { return state_ == State::kPresent; }
  bool fault() const { return state_ == State::kError; }
  const Json& json() const { return borrowed_ != nullptr ? *borrowed_ : made_; }
  // A part of this value: borrowed if this one is, else copied.
  Value Part(const Json& part) const {
    return borrowed_ != nullptr ? Value(&part) : Value(Json(part));
  }
  bool is_true() const { return present() && json().is_boolean() && json().get<bool>(); }
  bool is_false() const { return present() && json().is_boolean() && !json().get<bool>(); }

 private:
  explicit Value(State state) : state_(state) {}
  State state_{State::kPresent};
  const Json* borrowed_ = nullptr;
  Json made_{};
};

struct Scope {
  const Json& self;
  const Json* old_self;
  std::vector<std::pair<const std::string*, const Json*>> variables{};
};

Value Eval(const Node& node, Scope& scope);

// Digits of the fraction beyond the microsecond, without trailing zeros: ParseRfc3339 cuts them.
std::string_view FineFraction(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return {};
  text.remove_prefix(dot + 1);
  text = text.substr(0, text.find_first_not_of("0123456789"));
  text = text.size() > 6 ? text.substr(6) : std::string_view();
  const auto last = text.find_last_not_of('0');
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

bool SameInstant(const std::string& a, const std::string& b) {
  const auto left = ParseRfc3339(a);
  const auto right = ParseRfc3339(b);
  if (!left || !right) return a == b;
  return *left == *right && FineFraction(a) == FineFraction(b);
}

bool Equal(const Json& a, const Json& b, const Schema* schema);

// Without a schema for its keys, a renamed key goes unnoticed: the real server compares the number
// of keys and the values of those that both have.
bool EqualObjects(const Json& a, const Json& b, const Schema* schema) {
  if (a.size() != b.size()) return false;
  const bool opaque = schema != nullptr && schema->preserve_unknown;
  for (const auto& [key, value] : a.items()) {
    const Schema* child = schema == nullptr ? nullptr : schema->Child(key);
    const Json* other = Member(b, key);
    if (other == nullptr && child == nullptr && opaque) continue;
    if (child == nullptr && opaque) child = schema;
    if (other == nullptr || !Equal(value, *other, child)) return false;
  }
  return true;
}

// Sets and list-maps are equal in any order.
bool EqualLists(const Json& a, const Json& b, const Schema* schema) {
  if (a.size() != b.size()) return false;
  const Schema* items = schema == nullptr ? nullptr : schema->items.get();
  const bool unordered =
      schema != nullptr && (schema->list_type == "set" || schema->list_type == "map");
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto equals = [&](const Json& other) { return Equal(a[i], other, items); };
    if (unordered ? std::none_of(b.begin(), b.end(), equals) : !equals(b[i])) return false;
  }
  return true;
}

bool Equal(const Json& a, const Json& b, const Schema* schema) {
  if (a.is_object() && b.is_object()) return EqualObjects(a, b, schema);
  if (a.is_array() && b.is_array()) return EqualLists(a, b, schema);
  if (schema != nullptr && schema->format == "date-time" && a.is_string() && b.is_string()) {
    return SameInstant(a.get_ref<const std::string&>(), b.get_ref<const std::string&>());
  }
  return a == b;
}

const Schema* SchemaOf(const Node& node) {
  return node.kids[0]->schema != nullptr ? node.kids[0]->schema : node.kids[1]->schema;
}

// Lists that the rule itself writes hold values of any kind; those of the object have a schema.
bool Contains(const Node& node, const Json& item, const Json& list) {
  const Schema* schema = node.kids[0]->schema;
  return std::any_of(list.begin(), list.end(),
                     [&](const Json& each) { return Equal(item, each, schema); });
}

// && and || absorb an error when the other side decides.
Value Logic(const Node& node, Scope& scope) {
  const bool is_and = node.op == Op::kAnd;
  const auto decides = [&](const Value& value) {
    return is_and ? value.is_false() : value.is_true();
  };
  const Value left = Eval(*node.kids[0], scope);
  if (decides(left)) return left;
  const Value right = Eval(*node.kids[1], scope);
  if (decides(right)) return right;
  const bool both = (left.is_true() || left.is_false()) && (right.is_true() || right.is_false());
  return both ? Value(Json(is_and)) : Value::Fault();
}

Value Compare(const Node& node, const Json& a, const Json& b) {
  if (node.op == Op::kEqual) return Value(Json(Equal(a, b, SchemaOf(node))));
  if (node.op == Op::kNotEqual) return Value(Json(!Equal(a, b, SchemaOf(node))));
  if (node.op == Op::kIn) return b.is_array() ? Value(Json(Contains(node, a, b))) : Value::Fault();
  const bool comparable = (a.is_number() && b.is_number()) || (a.is_string() && b.is_string());
  if (!comparable) return Value::Fault();
  if (node.op == Op::kLess) return Value(Json(a < b));
  if (node.op == Op::kLessEqual) return Value(Json(a <= b));
  if (node.op == Op::kGreater) return Value(Json(a > b));
  return Value(Json(a >= b));
}

Value Arithmetic(Op op, const Json& a, const Json& b) {
  if (!a.is_number_integer() || !b.is_number_integer()) return Value::Fault();
  const auto left = a.get<std::int64_t>();
  const auto right = b.get<std::int64_t>();
  std::int64_t result = 0;
  bool overflow = false;
  if (op == Op::kAdd) overflow = __builtin_add_overflow(left, right, &result);
  if (op == Op::kSubtract) overflow = __builtin_sub_overflow(left, right, &result);
  if (op == Op::kMultiply) overflow = __builtin_mul_overflow(left, right, &result);
  if (op == Op::kDivide || op == Op::kModulo) {
    if (right == 0 || right == -1) return Value::Fault();
    result = op == Op::kDivide ? left / right : left % right;
  }
  return overflow ? Value::Fault() : Value(Json(result));
}

Value Text(Op op, const Json& a, const Json& b) {
  if (!a.is_string() || !b.is_string()) return Value::Fault();
  const auto& text = a.get_ref<const std::string&>();
  const auto& part = b.get_ref<const std::string&>();
  if (op == Op::kStartsWith) return Value(Json(text.starts_with(part)));
  if (op == Op::kEndsWith) return Value(Json(text.ends_with(part)));
  return Value(Json(text.find(part) != std::string::npos));
}

Value Quantify(const Node& node, Scope& scope) {
  const Value over = Eval(*node.kids[0], scope);
  if (!over.present() || !over.json().is_array()) return Value::Fault();
  const bool all = node.op == Op::kAll;
  for (const Json& item : over.json()) {
    scope.variables.emplace_back(&node.text, &item);
    const Value holds = Eval(*node.kids[1], scope);
    scope.variables.pop_back();
    if (holds.fault()) return holds;
    if (holds.is_true() != all) return Value(Json(!all));
  }
  return Value(Json(all));
}

Value Name(const Node& node, Scope& scope) {
  for (auto it = scope.variables.rbegin(); it != scope.variables.rend(); ++it) {
    if (*it->first == node.text) return Value(it->second);
  }
  if (node.text == "self") return Value(&scope.self);
  return scope.old_self == nullptr ? Value::Fault() : Value(scope.old_self);
}

Value Select(const Node& node, Scope& scope) {
  const Value from = Eval(*node.kids[0], scope);
  if (from.fault()) return from;
  if (!from.present()) return Value::Absent();
  const Json* member = Member(from.json(), node.text);
  if (member == nullptr || member->is_null()) {
    return node.op == Op::kSelect ? Value::Fault() : Value::Absent();
  }
  return from.Part(*member);
}

Value Size(const Json& value) {
  if (value.is_array() || value.is_object()) return Value(Json(value.size()));
  if (!value.is_string()) return Value::Fault();
  const auto& text = value.get_ref<const std::string&>();
  return Value(Json(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  })));
}

Value Unary(const Node& node, Scope& scope) {
  const Value value = Eval(*node.kids[0], scope);
  if (node.op == Op::kHas) {
    // A missing step before the last one is an error, as in CEL.
    const Value from = Eval(*node.kids[0]->kids[0], scope);
    if (!from.present()) return Value::Fault();
    return Value(Json(value.present()));
  }
  if (value.fault()) return value;
  if (node.op == Op::kHasValue) return Value(Json(value.present()));
  if (!value.present()) return Value::Fault();
  if (node.op == Op::kSize) return Size(value.json());
  if (node.op == Op::kNegate) return Arithmetic(Op::kSubtract, Json(0), value.json());
  return value.json().is_boolean() ? Value(Json(!value.is_true())) : Value::Fault();
}

Value List(const Node& node, Scope& scope) {
  Json list = Json::array();
  for (const NodePtr& kid : node.kids) {
    const Value item = Eval(*kid, scope);
    if (!item.present()) return Value::Fault();
    list.push_back(item.json());
  }
  return Value(std::move(list));
}

Value Binary(const Node& node, Scope& scope) {
  const Value a = Eval(*node.kids[0], scope);
  const Value b = Eval(*node.kids[1], scope);
  if (node.op == Op::kOrValue) return a.present() ? a : (a.fault() ? a : b);
  if (!a.present() || !b.present()) return Value::Fault();
  switch (node.op) {
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo:
      return Arithmetic(node.op, a.json(), b.json());
    case Op::kStartsWith:
    case Op::kEndsWith:
    case Op::kContains:
      return Text(node.op, a.json(), b.json());
    case Op::kIndex: {
      if (!a.json().is_array() || !b.json().is_number_integer()) return Value::Fault();
      const auto index = b.json().get<std::int64_t>();
      if (index < 0 || index >= static_cast<std::int64_t>(a.json().size())) return Value::Fault();
      return a.Part(a.json()[static_cast<std::size_t>(index)]);
    }
    default:
      return Compare(node, a.json(), b.json());
  }
}

Value Eval(const Node& node, Scope& scope) {
  switch (node.op) {
    case Op::kLiteral:
      return Value(&node.literal);
    case Op::kName:
      return Name(node, scope);
    case Op::kSelect:
    case Op::kOptionalSelect:
      return Select(node, scope);
    case Op::kHas:
    case Op::kHasValue:
    case Op::kNot:
    case Op::kNegate:
    case Op::kSize:
      return Unary(node, scope);
    case Op::kAnd:
    case Op::kOr:
      return Logic(node, scope);
    case Op::kTernary: {
      const Value condition = Eval(*node.kids[0], scope);
      if (condition.is_true()) return Eval(*node.kids[1], scope);
      return condition.is_false() ? Eval(*node.kids[2], scope) : Value::Fault();
    }
    case Op::kList:
      return List(node, scope);
    case Op::kAll:
    case Op::kExists:
      return Quantify(node, scope);
    default:
      return Binary(node, scope);
  }
}

}  // namespace
}  // namespace cel

Result<CelRule> CelRule::Compile(const std::string& rule, const Schema& self) {
  auto parsed = cel::Parse(rule, self);
  if (!parsed) return parsed.error();
  CelRule compiled;
  compiled.root_ = parsed->root;
  compiled.is_transition_ = parsed->mentions_old_self;
  return compiled;
}

CelVerdict CelRule::Evaluate(const Json& self, const Json* old_self) const {
  cel::Scope scope{.self = self, .old_self = old_self};
  const cel::Value value = cel::Eval(*root_, scope);
  if (value.is_true()) return CelVerdict::kHolds;
  return value.is_false() ? CelVerdict::kFails : CelVerdict::kError;
}

}  // namespace jobrun::api_model
