#include "tests/api_model/selectors.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace jobrun::api_model {
namespace {

std::string Trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

// Splits at commas outside parentheses.
std::vector<std::string> Terms(const std::string& text) {
  std::vector<std::string> terms;
  std::string term;
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ',' && depth == 0) {
      terms.push_back(Trim(term));
      term.clear();
    } else {
      term += c;
    }
  }
  terms.push_back(Trim(term));
  return terms;
}

bool IsLabelKey(const std::string& key) {
  return !key.empty() && key.size() <= 317 && std::all_of(key.begin(), key.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ||
           c == '/';
  });
}

std::optional<Requirement> SetTerm(const std::string& term) {
  for (const bool negated : {true, false}) {
    const std::string word = negated ? " notin " : " in ";
    std::string spaced = term;
    if (const auto open = spaced.find('('); open != std::string::npos) spaced.insert(open, " ");
    const auto at = spaced.find(word);
    if (at == std::string::npos) continue;
    const std::string list = Trim(spaced.substr(at + word.size()));
    if (list.size() < 2 || list.front() != '(' || list.back() != ')') return std::nullopt;
    Requirement made{
        Trim(spaced.substr(0, at)), negated ? SelectorOp::kNotIn : SelectorOp::kIn, {}, {}};
    for (const std::string& value : Split(list.substr(1, list.size() - 2), ',')) {
      made.values.push_back(Trim(value));
    }
    return made;
  }
  return std::nullopt;
}

// key=value, key==value, key!=value.
std::optional<Requirement> EqualityTerm(const std::string& term) {
  const auto at = term.find('=');
  if (at == std::string::npos || at == 0) return std::nullopt;
  const bool negated = term[at - 1] == '!';
  std::string_view value = std::string_view(term).substr(at + 1);
  if (!negated && value.starts_with('=')) value.remove_prefix(1);
  return Requirement{Trim(term.substr(0, negated ? at - 1 : at)),
                     negated ? SelectorOp::kNotIn : SelectorOp::kIn,
                     {Trim(value)},
                     {}};
}

std::optional<Requirement> LabelTerm(const std::string& term) {
  std::optional<Requirement> made;
  if (term.find('(') != std::string::npos) {
    made = SetTerm(term);
  } else if (term.find('=') != std::string::npos) {
    made = EqualityTerm(term);
  } else if (const auto at = term.find_first_of("<>"); at != std::string::npos) {
    made = Requirement{Trim(term.substr(0, at)),
                       term[at] == '>' ? SelectorOp::kGreater : SelectorOp::kLess,
                       {Trim(term.substr(at + 1))},
                       {}};
  } else if (term.starts_with('!')) {
    made = Requirement{Trim(term.substr(1)), SelectorOp::kAbsent, {}, {}};
  } else {
    made = Requirement{term, SelectorOp::kExists, {}, {}};
  }
  if (!made || !IsLabelKey(made->key)) return std::nullopt;
  const bool readable = std::ranges::none_of(made->values, [](const std::string& value) {
    return value.find_first_of(" \t!()=<>") != std::string::npos;
  });
  return readable ? made : std::nullopt;
}

std::optional<std::int64_t> Number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool Holds(const Requirement& requirement, const std::string* value) {
  const auto& values = requirement.values;
  switch (requirement.op) {
    case SelectorOp::kExists:
      return value != nullptr;
    case SelectorOp::kAbsent:
      return value == nullptr;
    case SelectorOp::kIn:
      return value != nullptr && std::find(values.begin(), values.end(), *value) != values.end();
    case SelectorOp::kNotIn:
      return value == nullptr || std::find(values.begin(), values.end(), *value) == values.end();
    default:
      break;
  }
  if (value == nullptr) return false;
  const auto left = Number(*value);
  const auto right = Number(values[0]);
  if (!left || !right) return false;
  return requirement.op == SelectorOp::kGreater ? *left > *right : *left < *right;
}

// Field selectors see an absent field as "".
std::string FieldText(const Json& object, const JsonPath& path) {
  const Json* value = MemberAt(object, path);
  if (value == nullptr || value->is_null()) return "";
  return value->is_string() ? value->get<std::string>() : Dump(*value);
}

const JsonPath* FieldPath(const ResourceType& type, const std::string& name) {
  static const JsonPath kName = {"metadata", "name"};
  static const JsonPath kNamespace = {"metadata", "namespace"};
  if (name == "metadata.name") return &kName;
  if (name == "metadata.namespace" && type.namespaced) return &kNamespace;
  for (const SelectableField& field : type.selectable) {
    if (field.name == name) return &field.path;
  }
  return nullptr;
}

// Splits at commas without a backslash before them.
std::vector<std::string> FieldTerms(const std::string& text) {
  std::vector<std::string> terms(1);
  bool escaped = false;
  for (const char c : text) {
    if (c == ',' && !escaped) {
      terms.emplace_back();
      continue;
    }
    terms.back() += c;
    escaped = c == '\\' && !escaped;
  }
  return terms;
}

// A value of a field selector: a backslash, a comma and an equals sign are written with a
// backslash.
std::optional<std::string> Unescaped(const std::string& value) {
  std::string plain;
  bool escaped = false;
  for (const char c : value) {
    const bool special = c == '\\' || c == ',' || c == '=';
    if (escaped != special && (escaped || c == ',' || c == '=')) return std::nullopt;
    if (c == '\\' && !escaped) {
      escaped = true;
      continue;
    }
    plain += c;
    escaped = false;
  }
  return escaped ? std::nullopt : std::optional(plain);
}

// events.k8s.io names the fields of the stored form by its own words.
std::string StoredField(const ResourceType& type, const std::string& name) {
  if (type.group == "events.k8s.io" && name.starts_with("regarding.")) {
    return "involvedObject." + name.substr(10);
  }
  if (type.event_view && name.starts_with("involvedObject.")) return "";
  if (type.plural == "events" && name == "source") return "source.component";
  if (type.plural == "events" && name == "reportingController") return "reportingComponent";
  return name;
}

}  // namespace

Or<Selector> Selector::Parse(const ResourceType& type, const std::string& labels,
                             const std::string& fields) {
  Selector selector;
  if (!Trim(labels).empty()) {
    for (const std::string& term : Terms(labels)) {
      auto made = LabelTerm(term);
      if (!made) return BadRequest("unable to parse requirement: " + Quote(term));
      selector.labels_.push_back(std::move(*made));
    }
  }
  if (Trim(fields).empty()) return selector;
  for (const std::string& term : FieldTerms(fields)) {
    if (Trim(term).empty()) continue;
    auto made = EqualityTerm(Trim(term));
    std::optional<std::string> value = made ? Unescaped(made->values[0]) : std::nullopt;
    if (!value)
      return BadRequest("invalid selector: '" + term + "'; can't understand '" + term + "'");
    const JsonPath* path = FieldPath(type, StoredField(type, made->key));
    if (path == nullptr) {
      return BadRequest("field label not supported: " + made->key);
    }
    made->path = *path;
    made->values[0] = std::move(*value);
    selector.fields_.push_back(std::move(*made));
  }
  return selector;
}

bool Selector::Matches(const Json& object) const {
  for (const Requirement& field : fields_) {
    const std::string text = FieldText(object, field.path);
    if (!Holds(field, &text)) return false;
  }
  if (labels_.empty()) return true;
  const Json* labels = MemberAt(object, {"metadata", "labels"});
  return std::all_of(labels_.begin(), labels_.end(), [&](const Requirement& requirement) {
    const Json* label = labels == nullptr ? nullptr : Member(*labels, requirement.key);
    const bool text = label != nullptr && label->is_string();
    return Holds(requirement, text ? &label->get_ref<const std::string&>() : nullptr);
  });
}

std::string Selector::ExactName() const {
  for (const Requirement& field : fields_) {
    if (field.key == "metadata.name" && field.op == SelectorOp::kIn) return field.values[0];
  }
  return "";
}

}  // namespace jobrun::api_model
