#include "tests/simulation/api_server.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace jobrun::simulation {
namespace {

constexpr std::array<std::string_view, 3> kPrefixes = {"/apis/jobrun.dev/v1/", "/api/v1/",
                                                       "/apis/coordination.k8s.io/v1/"};
constexpr std::array<std::string_view, 3> kPlurals = {"jobruns", "pods", "leases"};
constexpr std::array<std::string_view, 3> kListKinds = {"JobRunList", "PodList", "LeaseList"};
constexpr std::array<std::string_view, 3> kKindNames = {"JobRun", "Pod", "Lease"};

std::string Decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%' || i + 2 >= text.size()) {
      out += text[i];
      continue;
    }
    int value = 0;
    std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

std::string_view TakeSegment(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return segment;
}

// "spec.lane=x", "spec.concurrencyKey=k", "status.phase!=Succeeded", "status.retry.state!=Created",
// and what these make together.
Selector SelectorIn(const std::string& text) {
  constexpr std::string_view kLane = "spec.lane=";
  constexpr std::string_view kKey = "spec.concurrencyKey=";
  constexpr std::string_view kPhase = "status.phase!=";
  constexpr std::string_view kRetry = "status.retry.state!=";
  Selector selector;
  std::string term;
  const auto take = [&] {
    if (term.starts_with(kLane)) selector.lane = term.substr(kLane.size());
    if (term.starts_with(kKey)) selector.key = term.substr(kKey.size());
    if (term.starts_with(kPhase)) selector.phases_not.push_back(term.substr(kPhase.size()));
    if (term.starts_with(kRetry)) selector.retries_not.push_back(term.substr(kRetry.size()));
    term.clear();
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == ',') {
      take();
      continue;
    }
    if (text[at] == '\\') ++at;
    term += text[at];
  }
  take();
  return selector;
}

}  // namespace

bool Selector::Selects(const Object& object) const {
  if (!lane.empty() && object.Spec("lane") != lane) return false;
  if (!key.empty() && object.Spec("concurrencyKey") != key) return false;
  if (!phases_not.empty() && std::ranges::find(phases_not, object.Phase()) != phases_not.end()) {
    return false;
  }
  const auto retry = object.status.find("retry");
  if (retries_not.empty() || retry == object.status.end()) return true;
  const std::string state = MemberText(retry->second, "state");
  return std::ranges::find(retries_not, Unquoted(state)) == retries_not.end();
}

std::string Parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view one = query.substr(0, end);
    if (one.starts_with(name) && one.size() > name.size() && one[name.size()] == '=') {
      return Decoded(one.substr(name.size() + 1));
    }
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return {};
}

std::string StatusText(int code, std::string_view reason, std::string_view message) {
  std::string text = R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",)";
  text.append("\"message\":").append(Quoted(message)).append(",\"reason\":").append(Quoted(reason));
  return text.append(",\"code\":").append(std::to_string(code)).append("}");
}

std::string EventLine(std::string_view type, std::string_view object) {
  std::string line = R"({"type":")";
  line.reserve(object.size() + 40);
  return line.append(type).append(R"(","object":)").append(object).append("}\n");
}

std::string BookmarkLine(Kind kind, std::uint64_t version, bool ends_initial) {
  const std::string_view name = kKindNames.at(static_cast<std::size_t>(kind));
  std::string object = R"({"kind":")";
  object.append(name).append(R"(","metadata":{"resourceVersion":")");
  object.append(std::to_string(version)).append("\"");
  if (ends_initial) object.append(R"(,"annotations":{"k8s.io/initial-events-end":"true"})");
  return EventLine("BOOKMARK", object.append("}}"));
}

std::optional<ApiServer::Place> ApiServer::Parse(std::string_view target) {
  Place place;
  const std::size_t mark = target.find('?');
  std::string_view path = target.substr(0, mark);
  if (mark != std::string_view::npos) place.query = target.substr(mark + 1);
  for (std::size_t i = 0; i < kPrefixes.size(); ++i) {
    if (!path.starts_with(kPrefixes[i])) continue;
    place.kind = static_cast<Kind>(i);
    path.remove_prefix(kPrefixes[i].size());
    std::string_view segment = TakeSegment(path);
    if (segment == "namespaces") {
      place.name_space = TakeSegment(path);
      segment = TakeSegment(path);
    }
    if (segment != kPlurals[i]) return std::nullopt;
    place.name = TakeSegment(path);
    place.status = path == "status";
    return place;
  }
  return std::nullopt;
}

ObjectPtr ApiServer::Find(Kind kind, std::string_view key) const {
  const auto found = All(kind).find(key);
  return found == All(kind).end() ? nullptr : found->second;
}

Reply ApiServer::Handle(const Call& call, Nanos at) {
  const std::optional<Place> place = Parse(call.target);
  if (!place || (place->kind == Kind::kRun && !served_)) {
    return {404, StatusText(404, "NotFound", "the server could not find the requested resource")};
  }
  by_controller_ = call.manager == kControllerManager;
  if (call.method == Method::kPost) return Create(*place, call, at);
  if (place->name.empty()) return List(*place);
  if (call.method == Method::kPatch) return Patch(*place, call, at);
  if (call.method == Method::kDelete) return Delete(*place, call, at);
  const ObjectPtr object =
      Find(place->kind, std::string(place->name_space) + "/" + std::string(place->name));
  if (object == nullptr) return {404, StatusText(404, "NotFound", "not found")};
  return {200, object->text};
}

Reply ApiServer::List(const Place& place) {
  const std::string token = Parameter(place.query, "continue");
  Pages pages{.version = version_};
  if (!token.empty()) {
    const auto known = pages_.find(token);
    if (known == pages_.end() || known->second.version < compacted_) {
      return {410, StatusText(410, "Expired", "the provided continue parameter is too old")};
    }
    pages = known->second;
  } else {
    const Selector selector = SelectorIn(Parameter(place.query, "fieldSelector"));
    if (!selects_ && !selector.retries_not.empty()) return CantSelect();
    for (const auto& [key, object] : All(place.kind)) {
      const bool here = place.name_space.empty() || place.name_space == object->name_space;
      if (here && selector.Selects(*object)) pages.left.push_back(object);
    }
  }
  const bool paged = !Parameter(place.query, "limit").empty();
  const std::size_t count = paged ? std::min(pages.left.size(), page_) : pages.left.size();
  std::string items;
  for (std::size_t i = 0; i < count; ++i) items += (i == 0 ? "" : ",") + pages.left[i]->text;
  pages.left.erase(pages.left.begin(), pages.left.begin() + static_cast<std::ptrdiff_t>(count));
  const std::string next = pages.left.empty() ? "" : "t" + std::to_string(++tokens_);
  std::string body = R"({"kind":")";
  body.append(kListKinds.at(static_cast<std::size_t>(place.kind)));
  body.append(R"(","metadata":{"resourceVersion":")").append(std::to_string(pages.version));
  body.append(R"(","continue":")").append(next).append(R"("},"items":[)").append(items);
  if (!next.empty()) pages_.emplace(next, std::move(pages));
  return {200, body.append("]}")};
}

// ---- watches ----

std::optional<WatchCursor> ApiServer::OpenWatch(std::string_view target, Reply& refusal) {
  const std::optional<Place> place = Parse(target);
  if (!place || (place->kind == Kind::kRun && !served_)) {
    refusal = {404,
               StatusText(404, "NotFound", "the server could not find the requested resource")};
    return std::nullopt;
  }
  WatchCursor cursor{.kind = place->kind, .name_space = std::string(place->name_space)};
  cursor.selector = SelectorIn(Parameter(place->query, "fieldSelector"));
  if (!selects_ && !cursor.selector.retries_not.empty()) {
    refusal = CantSelect();
    return std::nullopt;
  }
  cursor.timeout = std::chrono::seconds(
      std::strtoll(Parameter(place->query, "timeoutSeconds").c_str(), nullptr, 10));
  cursor.version = version_;
  if (Parameter(place->query, "sendInitialEvents") == "true") {
    for (const auto& [key, object] : All(place->kind)) {
      const bool here = cursor.name_space.empty() || cursor.name_space == object->name_space;
      if (here && cursor.selector.Selects(*object)) cursor.initial.push_back(object);
    }
    cursor.marks_end = true;
    return cursor;
  }
  cursor.version = std::strtoull(Parameter(place->query, "resourceVersion").c_str(), nullptr, 10);
  cursor.expired = cursor.version < compacted_;
  return cursor;
}

const Change* ApiServer::NextChange(WatchCursor& cursor, Nanos until) {
  const auto first = history_.begin() + static_cast<std::ptrdiff_t>(live_from_);
  auto at = std::upper_bound(
      first, history_.end(), cursor.version,
      [](std::uint64_t version, const Change& change) { return version < change.version; });
  for (; at != history_.end() && at->at <= until; ++at) {
    cursor.version = at->version;
    const Object& object = *at->object;
    if (object.kind != cursor.kind) continue;
    if (!cursor.name_space.empty() && object.name_space != cursor.name_space) continue;
    const bool deleted = at->type == ChangeType::kDeleted;
    const bool before = at->before != nullptr && cursor.selector.Selects(*at->before);
    const bool after = !deleted && cursor.selector.Selects(object);
    if (!before && !after) continue;
    const bool stays = before && after;
    if (deleted || stays || at->before == nullptr) return &*at;
    return Told(cursor, *at, after);
  }
  return nullptr;
}

// A change that brings an object into the selection, or takes it out.
const Change* ApiServer::Told(WatchCursor& cursor, const Change& change, bool comes) {
  cursor.told = change;
  cursor.told.type = comes ? ChangeType::kAdded : ChangeType::kDeleted;
  if (!comes) {
    Object left = *change.before;
    left.version = change.version;
    left.Render();
    cursor.told.object = std::make_shared<const Object>(std::move(left));
  }
  return &cursor.told;
}

Reply ApiServer::CantSelect() {
  return {400, StatusText(400, "BadRequest", "field label not supported: status.retry.state")};
}

void ApiServer::Record(Change change) {
  change.by_controller = by_controller_;
  history_.push_back(std::move(change));
  if (observer_) observer_(history_.back());
}

// ---- faults ----

void ApiServer::SetServed(bool served, Nanos at) {
  if (served_ && !served) {
    const auto runs = All(Kind::kRun);
    for (const auto& [key, object] : runs) Remove(object, at);
  }
  served_ = served;
}

void ApiServer::Rewind(std::size_t changes, Nanos at) {
  // The versions that are given again must not meet the old ones: what comes is a history anew.
  const std::size_t live = history_.size() - live_from_;
  changes = std::min(changes, live);
  for (std::size_t i = 0; i < changes; ++i) {
    const Change& undone = history_[history_.size() - 1 - i];
    auto& objects = Objects(undone.object->kind);
    if (undone.before == nullptr) {
      objects.erase(undone.object->Key());
    } else {
      objects[undone.before->Key()] = undone.before;
    }
    version_ = undone.version - 1;
  }
  live_from_ = history_.size();
  compacted_ = version_;
  pages_.clear();
  (void)at;
}

void ApiServer::Poison(const std::string& key, Nanos at) {
  Object object{.kind = Kind::kRun, .uid = "00000000-0000-4000-8000-0000000dead0"};
  object.name_space = key.substr(0, key.find('/'));
  object.name = key.substr(key.find('/') + 1);
  object.created = TimeAt(at);
  object.metadata = std::make_shared<Fields>();
  object.spec = std::make_shared<Fields>(
      Fields{{"lane", "\"default\""}, {"deadlineSeconds", "\"tomorrow\""}});
  object.status = {{"phase", "\"Running\""}, {"claimedAt", "[1]"}, {"claimedBy", "\"w\""}};
  (void)Put(nullptr, std::move(object), at);
}

}  // namespace jobrun::simulation
