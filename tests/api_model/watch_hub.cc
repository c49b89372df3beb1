#include "tests/api_model/watch_hub.h"

#include <algorithm>
#include <charconv>

#include "tests/api_model/writer.h"

namespace jobrun::api_model {
namespace {

using std::chrono::seconds;

constexpr seconds kTimeoutMin{1800};  // the real server's --min-request-timeout; up to twice that
constexpr seconds kBookmarkBeforeEnd{2};

Checked CheckMatch(const Query& query) {
  const std::string field = "resourceVersionMatch";
  const std::string match = query.Get(field);
  const bool initial = query.Has("sendInitialEvents");
  FieldErrors errors;
  if (initial && match != "NotOlderThan") {
    errors.push_back(ForbiddenField(
        field, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  }
  if (!match.empty() && !initial) {
    errors.push_back(ForbiddenField(
        field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
  }
  if (!match.empty() && match != "NotOlderThan") {
    errors.push_back(UnsupportedField(field, match, {"NotOlderThan"}));
  }
  if (errors.empty() && initial && query.Has("continue")) {
    errors.push_back(
        ForbiddenField(field, "resourceVersionMatch is forbidden when continue is provided"));
  }
  if (errors.empty()) return Fine();
  return Invalid({"meta.k8s.io", "ListOptions", ""}, errors);
}

IncludeObject IncludeOf(const Query& query) {
  const std::string include = query.Get("includeObject");
  if (include == "Object") return IncludeObject::kObject;
  return include == "None" ? IncludeObject::kNone : IncludeObject::kMetadata;
}

void AppendLine(std::string& out, const char* kind, std::string_view object) {
  out += "{\"type\":\"";
  out += kind;
  out += "\",\"object\":";
  out += object;
  out += "}\n";
}

// The content before the change, at the revision of the change: how an object leaves a selection.
Json WithRevision(const Json& value, Revision revision) {
  Json copy = value;
  copy["metadata"]["resourceVersion"] = std::to_string(revision);
  return copy;
}

}  // namespace

Or<WatchOptions> ReadWatchOptions(const ListQuery& list, const Query& query,
                                  const RevisionStore& store) {
  if (auto fits = CheckMatch(query); !fits.ok()) return fits.refusal();
  WatchOptions options;
  options.type = list.type;
  options.prefix = list.Prefix();
  options.selector = list.selector;
  options.include = IncludeOf(query);
  options.bookmarks = query.Flag("allowWatchBookmarks");
  auto from = ParseRevision(list.resource_version);
  if (!from.ok()) return from.refusal();
  options.from = from.value();
  if (query.Has("sendInitialEvents")) {
    const Revision asked = options.from.value_or(0);
    if (asked > store.revision()) return TooLargeResourceVersion(asked, store.revision());
    const bool send = query.Flag("sendInitialEvents");
    options.initial_events_end = send && options.bookmarks;
    options.from = send ? std::nullopt : std::optional(std::max(asked, store.revision()));
  }
  if (const std::string timeout = query.Get("timeoutSeconds"); !timeout.empty()) {
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(timeout.data(), timeout.data() + timeout.size(), value);
    if (ec != std::errc() || end != timeout.data() + timeout.size() || value < 0 ||
        value > 1'000'000'000) {
      return BadRequest("strconv.ParseInt: parsing " + Quote(timeout) + ": invalid syntax");
    }
    options.timeout = seconds(value);
  }
  return options;
}

SubscriptionId WatchHub::Open(WatchOptions options, ServerTime now) {
  Watch watch;
  const Revision from = options.from.value_or(0);
  watch.cursor = from == 0 ? store_.revision() : from;
  if (from == 0) {
    store_.Visit(options.type->collection, store_.revision(), options.prefix, "",
                 [&](const VersionPtr& version) {
                   if (options.selector.Matches(version->value)) watch.initial.push_back(version);
                   return true;
                 });
  }
  watch.mark_end = options.initial_events_end;
  seconds timeout = options.timeout;
  if (timeout == seconds(0)) {
    timeout = kTimeoutMin + seconds(random_.Below(static_cast<std::uint64_t>(kTimeoutMin.count())));
  }
  watch.deadline = now + timeout;
  watch.options = std::move(options);
  watch.next_bookmark = NextBookmark(watch, now);
  watches_.emplace(++last_id_, std::move(watch));
  return last_id_;
}

Drained WatchHub::Drain(SubscriptionId id, ServerTime now) {
  Drained drained;
  const auto found = watches_.find(id);
  if (found == watches_.end()) {
    drained.closed = true;
    return drained;
  }
  Watch& watch = found->second;
  DrainInitial(watch, now, drained.bytes);
  if (watch.initial.empty() && !DrainChanges(watch, now, drained.bytes)) {
    const Refusal gone = Expired("too old resource version: " + std::to_string(watch.cursor) +
                                 " (" + std::to_string(store_.compacted()) + ")");
    AppendLine(drained.bytes, "ERROR", Dump(gone.body));
    drained.closed = true;
  }
  drained.more = !drained.closed && (!watch.initial.empty() || watch.cursor < store_.revision());
  if (!drained.more && !drained.closed && watch.options.bookmarks && now >= watch.next_bookmark &&
      now < watch.deadline) {
    EmitBookmark(watch, false, drained.bytes);
    watch.next_bookmark = NextBookmark(watch, now);
  }
  if (now >= watch.deadline) {
    drained.more = false;
    drained.closed = true;
  }
  if (drained.closed) watches_.erase(found);
  return drained;
}

std::optional<ServerTime> WatchHub::NextTimer(SubscriptionId id) const {
  const auto found = watches_.find(id);
  if (found == watches_.end()) return std::nullopt;
  const Watch& watch = found->second;
  return watch.options.bookmarks ? std::min(watch.next_bookmark, watch.deadline) : watch.deadline;
}

void WatchHub::DrainInitial(Watch& watch, ServerTime now, std::string& out) const {
  while (!watch.initial.empty() && out.size() < kDrainBytesMax) {
    EmitObject(watch, "ADDED", *watch.initial.front(), now, out);
    watch.initial.pop_front();
  }
  if (watch.initial.empty() && watch.mark_end) {
    EmitBookmark(watch, true, out);
    watch.mark_end = false;
  }
}

bool WatchHub::DrainChanges(Watch& watch, ServerTime now, std::string& out) const {
  if (watch.cursor < store_.compacted()) return false;
  while (out.size() < kDrainBytesMax) {
    const Change* change = store_.ChangeAfter(watch.cursor);
    if (change == nullptr) return true;
    Emit(watch, *change, now, out);
    watch.cursor = change->revision;
  }
  return true;
}

void WatchHub::Emit(Watch& watch, const Change& change, ServerTime now, std::string& out) const {
  const WatchOptions& options = watch.options;
  if (change.collection != options.type->collection) return;
  if (!change.object->key.starts_with(options.prefix)) return;
  const bool before =
      change.previous != nullptr && options.selector.Matches(change.previous->value);
  const bool after =
      change.kind != ChangeKind::kDeleted && options.selector.Matches(change.object->value);
  if (after) {
    EmitObject(watch, before ? "MODIFIED" : "ADDED", *change.object, now, out);
  } else if (before && change.kind == ChangeKind::kDeleted) {
    EmitObject(watch, "DELETED", *change.object, now, out);
  } else if (before) {
    Version left;
    left.value = WithRevision(change.previous->value, change.revision);
    left.text = Dump(left.value);
    EmitObject(watch, "DELETED", left, now, out);
  }
}

void WatchHub::EmitObject(Watch& watch, const char* kind, const Version& object, ServerTime now,
                          std::string& out) const {
  const ResourceType& type = *watch.options.type;
  if (watch.options.shape == Shape::kTable) {
    Json table = EmptyTable(type, watch.first_row);
    watch.first_row = false;
    table["metadata"]["resourceVersion"] = object.value.at("metadata").at("resourceVersion");
    table["rows"].push_back(TableRow(type, object.value, watch.options.include, now));
    AppendLine(out, kind, Dump(table));
  } else if (watch.options.shape == Shape::kPartial) {
    AppendLine(out, kind,
               Dump({{"kind", "PartialObjectMetadata"},
                     {"apiVersion", "meta.k8s.io/v1"},
                     {"metadata", object.value.at("metadata")}}));
  } else if (type.event_view) {
    AppendLine(out, kind, Dump(ShowObject(type, object.value)));
  } else {
    AppendLine(out, kind, object.text);
  }
}

void WatchHub::EmitBookmark(Watch& watch, bool ends_initial, std::string& out) const {
  const ResourceType& type = *watch.options.type;
  Json metadata = {{"resourceVersion", std::to_string(watch.cursor)},
                   {"creationTimestamp", nullptr}};
  if (ends_initial) metadata["annotations"] = {{"k8s.io/initial-events-end", "true"}};
  Json object = {{"kind", type.kind}, {"apiVersion", type.ApiVersion()}, {"metadata", metadata}};
  if (watch.options.shape == Shape::kTable) {
    object = EmptyTable(type, watch.first_row);
    watch.first_row = false;
    object["metadata"] = std::move(metadata);
  } else if (watch.options.shape == Shape::kPartial) {
    object["kind"] = "PartialObjectMetadata";
    object["apiVersion"] = "meta.k8s.io/v1";
  }
  AppendLine(out, "BOOKMARK", Dump(object));
}

// Every period, and once 2 s before the end of the watch.
ServerTime WatchHub::NextBookmark(const Watch& watch, ServerTime now) const {
  const ServerTime before_end = watch.deadline - kBookmarkBeforeEnd;
  return now >= before_end ? watch.deadline : std::min(now + bookmark_period_, before_end);
}

}  // namespace jobrun::api_model
