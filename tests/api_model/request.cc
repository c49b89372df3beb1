#include "tests/api_model/request.h"

#include <algorithm>

namespace jobrun::api_model {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string Unescape(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string ToBase64(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += kBase64[(bits >> (count - 6)) & 0x3FU];
  }
  if (count > 0) out += kBase64[(bits << (6 - count)) & 0x3FU];
  return out;
}

std::optional<std::string> FromBase64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const auto at = kBase64.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(at);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xFFU);
    }
  }
  return out;
}

std::string Trim(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool IsStatus(const ResourceType& type, const std::string& name) {
  return name == "status" && type.status_subresource;
}

// What follows the plural: nothing, a name, or a name and a subresource.
std::optional<ResourcePath> Finish(ResourcePath path, const std::vector<std::string>& rest) {
  if (path.type == nullptr || rest.size() > 2) return std::nullopt;
  if (!rest.empty()) path.name = rest[0];
  if (rest.size() == 2) {
    if (!IsStatus(*path.type, rest[1])) return std::nullopt;
    path.subresource = rest[1];
  }
  // A namespaced object has no name of its own outside its namespace.
  if (path.type->namespaced && path.ns.empty() && !path.name.empty()) return std::nullopt;
  return path;
}

}  // namespace

Reply JsonReply(int status, const Json& body) {
  Reply reply;
  reply.status = status;
  reply.body = Dump(body);
  return reply;
}

Reply RefusalReply(const Refusal& refusal) {
  Reply reply = JsonReply(refusal.code, refusal.body);
  if (const Json* seconds = MemberAt(refusal.body, {"details", "retryAfterSeconds"})) {
    reply.retry_after_seconds = seconds->get<int>();
  }
  return reply;
}

Query Query::Parse(std::string_view text) {
  Query query;
  for (const std::string& pair : Split(text, '&')) {
    const auto equals = pair.find('=');
    const std::string name = Unescape(std::string_view(pair).substr(0, equals), true);
    const auto value = equals == std::string::npos ? "" : std::string_view(pair).substr(equals + 1);
    if (!name.empty()) query.values_.emplace(name, Unescape(value, true));
  }
  return query;
}

std::string Query::Get(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? "" : found->second;
}

bool Query::Flag(const std::string& name) const {
  const std::string value = Get(name);
  return value == "true" || value == "1";
}

Shape ShapeOf(const std::string& accept) {
  if (accept.empty()) return Shape::kObject;
  for (const std::string& choice : Split(accept, ',')) {
    const auto parts = Split(choice, ';');
    const std::string media = Trim(parts[0]);
    if (media != "application/json" && media != "*/*" && media != "application/*") continue;
    std::string as;
    for (const std::string& part : parts) {
      if (Trim(part).starts_with("as=")) as = Trim(part).substr(3);
    }
    if (as.empty()) return Shape::kObject;
    if (as == "Table") return Shape::kTable;
    if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") return Shape::kPartial;
    if (as == "APIGroupDiscoveryList") return Shape::kAggregatedDiscovery;
  }
  return Shape::kNone;
}

std::string MediaType(const std::string& content_type) { return Trim(Split(content_type, ';')[0]); }

std::vector<std::string> PathParts(std::string_view path) {
  std::vector<std::string> parts;
  for (const std::string& part : Split(path, '/')) {
    if (!part.empty()) parts.push_back(Unescape(part, false));
  }
  return parts;
}

std::optional<ResourcePath> FindResource(const TypeRegistry& types,
                                         const std::vector<std::string>& parts) {
  const bool core = !parts.empty() && parts[0] == "api";
  const std::size_t prefix = core ? 2 : 3;
  if (parts.size() <= prefix || (!core && parts[0] != "apis")) return std::nullopt;
  const std::string group = core ? "" : parts[1];
  const std::string& version = parts[prefix - 1];
  std::vector<std::string> rest(parts.begin() + static_cast<std::ptrdiff_t>(prefix), parts.end());
  ResourcePath path;
  const ResourceType* nested =
      rest.size() >= 3 && rest[0] == "namespaces" ? types.Find(group, version, rest[2]) : nullptr;
  if (nested != nullptr && nested->namespaced) {
    path.type = nested;
    path.ns = rest[1];
    rest.erase(rest.begin(), rest.begin() + 3);
  } else {
    path.type = types.Find(group, version, rest[0]);
    rest.erase(rest.begin());
  }
  return Finish(std::move(path), rest);
}

std::string EncodeContinue(const ContinueToken& token) {
  const std::int64_t revision =
      token.revision == 0 ? -1 : static_cast<std::int64_t>(token.revision);
  return ToBase64(Dump({{"v", "meta.k8s.io/v1"},
                        {"rv", revision},
                        {"start", token.start},
                        {"left", token.remaining}}));
}

std::optional<ContinueToken> DecodeContinue(const std::string& text) {
  const auto bytes = FromBase64(text);
  if (!bytes) return std::nullopt;
  const ParsedJson parsed = ParseJson(*bytes);
  const Json* revision = Member(parsed.value, "rv");
  const Json* left = Member(parsed.value, "left");
  if (!parsed.error.empty() || StringMember(parsed.value, "v") != "meta.k8s.io/v1")
    return std::nullopt;
  if (revision == nullptr || !revision->is_number_integer() || *revision == Json(0))
    return std::nullopt;
  ContinueToken token;
  const auto number = revision->get<std::int64_t>();
  token.revision = number < 0 ? 0 : static_cast<Revision>(number);
  token.start = StringMember(parsed.value, "start");
  if (left != nullptr && left->is_number_integer()) token.remaining = left->get<std::int64_t>();
  if (token.start.empty()) return std::nullopt;
  return token;
}

}  // namespace jobrun::api_model
