#include <charconv>

#include "tests/api_model/cel_ast.h"

namespace jobrun::api_model::cel {
namespace {

constexpr int kNestingMax = 200;

struct Failure {
  std::string what;
};

enum class TokenKind : unsigned char { kEnd, kName, kNumber, kString, kSymbol };
struct Token {
  TokenKind kind{TokenKind::kEnd};
  std::string text{};
};

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string TakeString(const std::string& in, std::size_t& at) {
  const char quote = in[at++];
  std::string text;
  while (at < in.size() && in[at] != quote) {
    if (in[at] == '\\') throw Failure{"escapes in strings are not supported"};
    text += in[at++];
  }
  if (at >= in.size()) throw Failure{"unterminated string"};
  ++at;
  return text;
}

std::vector<Token> Tokenize(const std::string& in) {
  std::vector<Token> tokens;
  for (std::size_t at = 0; at < in.size();) {
    const char c = in[at];
    const std::size_t from = at;
    if (c == ' ' || c == '\n' || c == '\t') {
      ++at;
    } else if (IsNameStart(c)) {
      while (at < in.size() && (IsNameStart(in[at]) || IsDigit(in[at]))) ++at;
      tokens.push_back({TokenKind::kName, in.substr(from, at - from)});
    } else if (IsDigit(c)) {
      while (at < in.size() && (IsDigit(in[at]) || in[at] == '.')) ++at;
      tokens.push_back({TokenKind::kNumber, in.substr(from, at - from)});
    } else if (c == '\'' || c == '"') {
      tokens.push_back({TokenKind::kString, TakeString(in, at)});
    } else {
      const std::string two = in.substr(at, 2);
      const bool pair = two == "==" || two == "!=" || two == "<=" || two == ">=" || two == "&&" ||
                        two == "||" || two == ".?";
      at += pair ? 2 : 1;
      tokens.push_back({TokenKind::kSymbol, in.substr(from, at - from)});
    }
  }
  tokens.push_back({});
  return tokens;
}

// CEL writes property names that are its own words as __in__.
std::string Unescaped(const std::string& name) {
  if (name.size() > 4 && name.starts_with("__") && name.ends_with("__")) {
    return name.substr(2, name.size() - 4);
  }
  return name;
}

NodePtr Make(Op op, std::vector<NodePtr> kids, std::string text = "") {
  Node node{.op = op, .text = std::move(text), .kids = std::move(kids)};
  const Schema* of = node.kids.empty() ? nullptr : node.kids[0]->schema;
  if (of != nullptr && (op == Op::kSelect || op == Op::kOptionalSelect)) {
    node.schema = of->Child(node.text);
    if (node.schema == nullptr && !of->preserve_unknown)
      throw Failure{"undefined field '" + node.text + "'"};
  } else if (of != nullptr && op == Op::kIndex) {
    node.schema = of->items.get();
  } else if (op == Op::kOrValue) {
    node.schema = of;
  }
  return std::make_shared<const Node>(std::move(node));
}

NodePtr Literal(Json value) {
  return std::make_shared<const Node>(Node{.op = Op::kLiteral, .literal = std::move(value)});
}

// Precedence climbing; throws Failure.
class Parser {
 public:
  Parser(std::vector<Token> tokens, const Schema& self) : tokens_(std::move(tokens)), self_(self) {}

  Parsed All() {
    Parsed parsed;
    parsed.root = Expression();
    if (Peek().kind != TokenKind::kEnd) throw Failure{"unexpected '" + Peek().text + "'"};
    parsed.mentions_old_self = mentions_old_self_;
    return parsed;
  }

 private:
  struct Variable {
    std::string name;
    const Schema* schema;
  };

  const Token& Peek() const { return tokens_[at_]; }
  Token Take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool Accept(const std::string& symbol) {
    if (Peek().kind != TokenKind::kSymbol || Peek().text != symbol) return false;
    ++at_;
    return true;
  }
  void Expect(const std::string& symbol) {
    if (!Accept(symbol)) throw Failure{"expected '" + symbol + "' before '" + Peek().text + "'"};
  }
  std::string Name() {
    if (Peek().kind != TokenKind::kName)
      throw Failure{"expected a name before '" + Peek().text + "'"};
    return Take().text;
  }

  NodePtr Expression() {
    if (++nesting_ > kNestingMax) throw Failure{"nested too deeply"};
    NodePtr left = Binary(0);
    if (Accept("?")) {
      NodePtr yes = Expression();
      Expect(":");
      left = Make(Op::kTernary, {left, yes, Expression()});
    }
    --nesting_;
    return left;
  }

  static constexpr int kLevels = 5;
  static std::optional<Op> BinaryOp(int level, const Token& token) {
    struct Entry {
      int level;
      const char* text;
      Op op;
    };
    static constexpr Entry kEntries[] = {
        {0, "||", Op::kOr},       {1, "&&", Op::kAnd},          {2, "==", Op::kEqual},
        {2, "!=", Op::kNotEqual}, {2, "<", Op::kLess},          {2, "<=", Op::kLessEqual},
        {2, ">", Op::kGreater},   {2, ">=", Op::kGreaterEqual}, {2, "in", Op::kIn},
        {3, "+", Op::kAdd},       {3, "-", Op::kSubtract},      {4, "*", Op::kMultiply},
        {4, "/", Op::kDivide},    {4, "%", Op::kModulo}};
    if (token.kind != TokenKind::kSymbol && token.kind != TokenKind::kName) return std::nullopt;
    for (const Entry& entry : kEntries) {
      if (entry.level == level && token.text == entry.text) return entry.op;
    }
    return std::nullopt;
  }

  NodePtr Binary(int level) {
    if (level == kLevels) return Unary();
    NodePtr left = Binary(level + 1);
    while (const auto op = BinaryOp(level, Peek())) {
      Take();
      left = Make(*op, {left, Binary(level + 1)});
    }
    return left;
  }

  NodePtr Unary() {
    if (Accept("!")) return Make(Op::kNot, {Unary()});
    if (Accept("-")) return Make(Op::kNegate, {Unary()});
    return Postfix(Primary());
  }

  NodePtr Postfix(NodePtr value) {
    while (true) {
      if (Accept(".?")) {
        value = Make(Op::kOptionalSelect, {value}, Unescaped(Name()));
      } else if (Accept(".")) {
        const std::string name = Name();
        value = Accept("(") ? Method(value, name) : Make(Op::kSelect, {value}, Unescaped(name));
      } else if (Accept("[")) {
        value = Make(Op::kIndex, {value, Expression()});
        Expect("]");
      } else {
        return value;
      }
    }
  }

  NodePtr Method(const NodePtr& on, const std::string& name) {
    if (name == "all" || name == "exists") return Macro(on, name == "all" ? Op::kAll : Op::kExists);
    std::vector<NodePtr> kids = {on};
    if (!Accept(")")) {
      do kids.push_back(Expression());
      while (Accept(","));
      Expect(")");
    }
    const std::size_t arguments = kids.size() - 1;
    if (name == "orValue" && arguments == 1) return Make(Op::kOrValue, kids);
    if (name == "hasValue" && arguments == 0) return Make(Op::kHasValue, kids);
    if (name == "size" && arguments == 0) return Make(Op::kSize, kids);
    if (name == "startsWith" && arguments == 1) return Make(Op::kStartsWith, kids);
    if (name == "endsWith" && arguments == 1) return Make(Op::kEndsWith, kids);
    if (name == "contains" && arguments == 1) return Make(Op::kContains, kids);
    throw Failure{"unknown method '" + name + "'"};
  }

  NodePtr Macro(const NodePtr& over, Op op) {
    const std::string variable = Name();
    Expect(",");
    const Schema* items = over->schema == nullptr ? nullptr : over->schema->items.get();
    variables_.push_back({variable, items});
    NodePtr body = Expression();
    variables_.pop_back();
    Expect(")");
    return Make(op, {over, body}, variable);
  }

  NodePtr Primary() {
    const Token token = Take();
    if (token.kind == TokenKind::kString) return Literal(token.text);
    if (token.kind == TokenKind::kNumber) return Number(token.text);
    if (token.kind == TokenKind::kName) return Named(token.text);
    if (token.text == "(") {
      NodePtr inner = Expression();
      Expect(")");
      return inner;
    }
    if (token.text == "[") {
      std::vector<NodePtr> items;
      while (!Accept("]")) {
        if (!items.empty()) Expect(",");
        items.push_back(Expression());
      }
      return Make(Op::kList, std::move(items));
    }
    throw Failure{"unexpected '" + token.text + "'"};
  }

  static NodePtr Number(const std::string& text) {
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || end != text.data() + text.size())
      throw Failure{"not an integer: " + text};
    return Literal(value);
  }

  NodePtr Named(const std::string& name) {
    if (name == "true" || name == "false") return Literal(name == "true");
    if (name == "null") return Literal(nullptr);
    if (Accept("(")) return Function(name);
    for (const Variable& variable : variables_) {
      if (variable.name == name) return NameNode(name, variable.schema);
    }
    if (name == "oldSelf") mentions_old_self_ = true;
    if (name == "self" || name == "oldSelf") return NameNode(name, &self_);
    throw Failure{"undeclared reference to '" + name + "'"};
  }

  static NodePtr NameNode(const std::string& name, const Schema* schema) {
    return std::make_shared<const Node>(Node{.op = Op::kName, .text = name, .schema = schema});
  }

  NodePtr Function(const std::string& name) {
    NodePtr argument = Expression();
    Expect(")");
    if (name == "size") return Make(Op::kSize, {argument});
    if (name != "has") throw Failure{"unknown function '" + name + "'"};
    if (argument->op != Op::kSelect) throw Failure{"has() needs a field selection"};
    return Make(Op::kHas, {argument});
  }

  std::vector<Token> tokens_;
  const Schema& self_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  bool mentions_old_self_ = false;
  std::vector<Variable> variables_{};
};

}  // namespace

Result<Parsed> Parse(const std::string& rule, const Schema& self) {
  try {
    return Parser(Tokenize(rule), self).All();
  } catch (const Failure& failure) {
    return Error{Code::kInvalid, "compile the rule `" + rule + "`", failure.what};
  }
}

}  // namespace jobrun::api_model::cel
