#include "tests/api_model/reader.h"

#include <charconv>

namespace jobrun::api_model {
namespace {

constexpr const char* kListTooOld = "The resourceVersion for the provided list is too old.";
constexpr const char* kContinueTooOld =
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the "
    "remainder of "
    "the results. Continuing with the provided token results in an inconsistent list - objects "
    "that were "
    "created, modified, or deleted between the time the first chunk was returned and now may show "
    "up in the "
    "list.";

std::optional<std::int64_t> Number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

FieldErrors CheckMatch(const ListQuery& list) {
  FieldErrors errors;
  const std::string field = "resourceVersionMatch";
  if (list.match.empty()) return errors;
  if (list.resource_version.empty()) {
    errors.push_back(ForbiddenField(
        field, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
  }
  if (!list.continue_token.empty()) {
    errors.push_back(
        ForbiddenField(field, "resourceVersionMatch is forbidden when continue is provided"));
  }
  if (list.match != "Exact" && list.match != "NotOlderThan") {
    errors.push_back(UnsupportedField(field, list.match, {"Exact", "NotOlderThan", ""}));
  }
  if (list.match == "Exact" && list.resource_version == "0") {
    errors.push_back(ForbiddenField(
        field, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
  }
  return errors;
}

Refusal UnreadableVersion(const Refusal& refusal) {
  return BadRequest("invalid resource version: " +
                    std::string(StringMember(refusal.body, "message")));
}

struct Position {
  Revision at = 0;
  std::string from{};
  std::int64_t remaining = -1;
};

Or<Position> Continue(const RevisionStore& store, const ListQuery& query) {
  if (!query.resource_version.empty() && query.resource_version != "0") {
    return BadRequest("specifying resource version is not allowed when using continue");
  }
  auto token = DecodeContinue(query.continue_token);
  if (!token) return BadRequest("invalid continue token: continue key is not valid");
  if (token->revision != 0 && token->revision < store.compacted()) {
    Refusal expired = Expired(kContinueTooOld);
    expired.body["metadata"]["continue"] = EncodeContinue({.revision = 0, .start = token->start});
    return expired;
  }
  if (token->revision > store.revision())
    return BadRequest("invalid continue token: continue key is not valid");
  const Revision at = token->revision == 0 ? store.revision() : token->revision;
  return Position{at, token->start, token->revision == 0 ? -1 : token->remaining};
}

// Exact when asked for, and, as an older rule has it, for a page at a given version.
Or<Position> Start(const RevisionStore& store, const ListQuery& query) {
  auto asked = ParseRevision(query.resource_version);
  if (!asked.ok()) return UnreadableVersion(asked.refusal());
  const Revision revision = asked.value().value_or(0);
  if (revision > store.revision()) return TooLargeResourceVersion(revision, store.revision());
  const bool exact =
      query.match == "Exact" || (query.match.empty() && query.limit > 0 && revision > 0);
  if (!exact) return Position{store.revision(), "", -1};
  if (revision < store.compacted()) return Expired(kListTooOld);
  return Position{revision, "", -1};
}

}  // namespace

Or<std::optional<Revision>> ParseRevision(const std::string& text) {
  if (text.empty()) return std::optional<Revision>();
  Revision revision = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (ec != std::errc() || end != text.data() + text.size()) {
    return UntypedError("resourceVersion: Invalid value: " + Quote(text) +
                        ": strconv.ParseUint: parsing " + Quote(text) + ": invalid syntax");
  }
  return std::optional<Revision>(revision);
}

Or<ListQuery> ReadListQuery(const ResourcePath& path, const Query& query) {
  ListQuery list;
  list.type = path.type;
  list.ns = path.ns;
  const std::string labels = query.Get("labelSelector");
  if (auto readable = Selector::Parse(*path.type, labels, ""); !readable.ok()) {
    return readable.refusal();
  }
  list.continue_token = query.Get("continue");
  list.resource_version = query.Get("resourceVersion");
  list.match = query.Get("resourceVersionMatch");
  if (const std::string limit = query.Get("limit"); !limit.empty()) {
    const auto number = Number(limit);
    if (!number)
      return BadRequest("strconv.ParseInt: parsing " + Quote(limit) + ": invalid syntax");
    list.limit = *number;
  }
  FieldErrors errors;
  if (!query.Flag("watch")) {
    errors = CheckMatch(list);
    if (query.Has("sendInitialEvents")) {
      errors.push_back(
          ForbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
  }
  if (!errors.empty()) return Invalid({"meta.k8s.io", "ListOptions", ""}, errors);
  // Which fields there are is looked at last.
  auto selector = Selector::Parse(*path.type, labels, query.Get("fieldSelector"));
  if (!selector.ok()) return selector.refusal();
  list.selector = std::move(selector.value());
  return list;
}

Or<ListPage> List(const RevisionStore& store, const ListQuery& query) {
  auto position = query.continue_token.empty() ? Start(store, query) : Continue(store, query);
  if (!position.ok()) return position.refusal();
  const Position& start = position.value();
  ListPage page;
  page.revision = start.at;
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(query.limit, 0));
  std::string next;
  std::int64_t rest = 0;
  const bool counted = start.remaining >= 0;
  const bool countable = query.selector.empty();
  store.Visit(query.type->collection, start.at, query.Prefix(), start.from,
              [&](const VersionPtr& item) {
                if (limit == 0 || page.items.size() < limit) {
                  if (query.selector.Matches(item->value)) page.items.push_back(item);
                  return true;
                }
                if (next.empty()) next = item->key;
                ++rest;
                return countable && !counted;
              });
  if (next.empty()) return page;
  if (counted) rest = start.remaining - static_cast<std::int64_t>(page.items.size());
  if (countable) page.remaining = rest;
  page.continue_token =
      EncodeContinue({.revision = start.at, .start = next, .remaining = countable ? rest : -1});
  return page;
}

Or<VersionPtr> Get(const RevisionStore& store, const ResourcePath& path,
                   const std::string& resource_version) {
  auto asked = ParseRevision(resource_version);
  if (!asked.ok()) return asked.refusal();
  const Revision revision = asked.value().value_or(0);
  if (revision > store.revision()) return TooLargeResourceVersion(revision, store.revision());
  const std::string key = path.type->namespaced ? path.ns + "/" + path.name : path.name;
  VersionPtr found = store.Get(path.type->collection, key);
  if (found == nullptr) return NotFound(path.type->Named(path.name));
  return found;
}

}  // namespace jobrun::api_model
