// The front of the write path: what the method, the query and the headers of a write mean.
#include <algorithm>
#include <charconv>

#include "tests/api_model/api_model.h"
#include "tests/api_model/pod_rules.h"
#include "tests/api_model/protobuf.h"

namespace jobrun::api_model {
namespace {

constexpr std::size_t kManagerMax = 128;

// The user agent up to its first '/', as far as it is printable.
std::string ManagerOf(const Query& query, const std::string& user_agent) {
  if (const std::string manager = query.Get("fieldManager"); !manager.empty()) return manager;
  std::string manager = user_agent.substr(0, user_agent.find('/')).substr(0, kManagerMax);
  std::erase_if(manager, [](char c) { return c < 0x20 || c > 0x7e; });
  return manager.empty() ? "unknown" : manager;
}

const char* OptionsKind(const std::string& method) {
  if (method == "POST") return "CreateOptions";
  if (method == "PATCH") return "PatchOptions";
  return method == "DELETE" ? "DeleteOptions" : "UpdateOptions";
}

Or<WriteOptions> ReadWriteOptions(const Query& query, const Request& request, ServerTime now) {
  WriteOptions options;
  options.now = now;
  options.writer.manager = ManagerOf(query, request.user_agent);
  options.writer.force = query.Flag("force");
  const Subject subject{"meta.k8s.io", OptionsKind(request.method), ""};
  const std::string dry_run = query.Get("dryRun");
  if (!dry_run.empty() && dry_run != "All") {
    return Invalid(subject, {UnsupportedField("dryRun", Json::array({dry_run}), {"All"})});
  }
  options.dry_run = dry_run == "All";
  const std::string validation = query.Get("fieldValidation");
  if (validation == "Strict") options.validation = FieldValidation::kStrict;
  if (validation == "Ignore") options.validation = FieldValidation::kIgnore;
  if (!validation.empty() && validation != "Strict" && validation != "Ignore" &&
      validation != "Warn") {
    return Invalid(subject, {UnsupportedField("fieldValidation", validation,
                                              {"", "Ignore", "Strict", "Warn"})});
  }
  return options;
}

Or<PatchKind> PatchKindOf(const ResourceType& type, const std::string& media) {
  if (media == "application/merge-patch+json") return PatchKind::kMerge;
  if (media == "application/json-patch+json") return PatchKind::kJson;
  if (media == "application/apply-patch+yaml") return PatchKind::kApply;
  if (media == "application/strategic-merge-patch+json" && !type.custom)
    return PatchKind::kStrategic;
  std::string accepted = "application/json-patch+json, application/merge-patch+json, ";
  if (!type.custom) accepted += "application/strategic-merge-patch+json, ";
  return UnsupportedMediaType(accepted + "application/apply-patch+yaml");
}

Or<ParsedJson> ReadBody(const std::string& media, const std::string& body) {
  if (media == "application/yaml") {
    ParsedJson yaml = ParseYaml(body);
    if (!yaml.error.empty()) return BadRequest("error converting YAML to JSON: " + yaml.error);
    return yaml;
  }
  if (media == "application/vnd.kubernetes.protobuf") {
    if (auto object = NamespaceFromProtobuf(body)) return ParsedJson{std::move(*object), {}, {}};
  }
  if (!media.empty() && media != "application/json" &&
      media != "application/x-www-form-urlencoded") {
    return UnsupportedMediaType(
        "application/json, application/yaml, application/vnd.kubernetes.protobuf");
  }
  ParsedJson json = ParseJson(body);
  if (!json.error.empty()) {
    return BadRequest(
        "the object provided is unrecognized: couldn't get version/kind; json parse error: " +
        json.error);
  }
  return json;
}

Or<DeleteOptions> ReadDeleteOptions(const Query& query, const std::string& body,
                                    WriteOptions& options) {
  DeleteOptions asked;
  if (body.empty()) {
    const std::string grace = query.Get("gracePeriodSeconds");
    if (grace.empty()) return asked;
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(grace.data(), grace.data() + grace.size(), seconds);
    if (error != std::errc() || end != grace.data() + grace.size()) {
      return BadRequest("strconv.ParseInt: parsing " + Quote(grace) + ": invalid syntax");
    }
    asked.grace_seconds = seconds;
    return asked;
  }
  const ParsedJson parsed = ParseJson(body);
  if (!parsed.error.empty()) return BadRequest("error decoding DeleteOptions: " + parsed.error);
  if (const Json* given = Member(parsed.value, "preconditions")) {
    const auto read = [&](const char* key, std::optional<std::string>& into) {
      const Json* value = Member(*given, key);
      if (value != nullptr && value->is_string()) into = value->get<std::string>();
    };
    read("uid", asked.uid);
    read("resourceVersion", asked.resource_version);
  }
  const Json* grace = Member(parsed.value, "gracePeriodSeconds");
  if (grace != nullptr && grace->is_number_integer()) {
    asked.grace_seconds = grace->get<std::int64_t>();
  }
  const std::string policy(StringMember(parsed.value, "propagationPolicy"));
  if (!policy.empty() && policy != "Foreground" && policy != "Background" && policy != "Orphan") {
    return Invalid({"meta.k8s.io", "DeleteOptions", ""},
                   {UnsupportedField("propagationPolicy", policy,
                                     {"Foreground", "Background", "Orphan", "nil"})});
  }
  const Json* dry_run = Member(parsed.value, "dryRun");
  if (dry_run != nullptr && *dry_run == Json::array({"All"})) options.dry_run = true;
  return asked;
}

Json DeletedStatus(const ResourceType& type, const Json& object) {
  const Json& metadata = object.at("metadata");
  Json details = {{"name", StringMember(metadata, "name")},
                  {"kind", type.plural},
                  {"uid", StringMember(metadata, "uid")}};
  if (!type.group.empty()) details["group"] = type.group;
  return {{"kind", "Status"},
          {"apiVersion", "v1"},
          {"metadata", Json::object()},
          {"status", "Success"},
          {"details", std::move(details)}};
}

}  // namespace

Reply ApiModel::Write(const ResourcePath& path, const Query& query, const Request& request,
                      ServerTime now) {
  if (request.method == "PATCH") {
    const auto kind = PatchKindOf(*path.type, MediaType(request.content_type));
    if (!kind.ok()) return RefusalReply(kind.refusal());
  }
  auto options = ReadWriteOptions(query, request, now);
  if (!options.ok()) return RefusalReply(options.refusal());
  options.value().writer.subresource = path.subresource;
  const Target target{path.type, path.ns, path.name, path.subresource};
  const Shape shape = ShapeOf(request.accept);
  if (request.method == "PATCH") {
    if (MediaType(request.content_type) == "application/apply-patch+yaml") {
      options.value().writer.manager = query.Get("fieldManager");
    }
    return Patch(target, request, std::move(options.value()), shape);
  }
  auto body = ReadBody(MediaType(request.content_type), request.body);
  if (!body.ok()) return RefusalReply(body.refusal());
  options.value().duplicates = body.value().duplicates;
  auto written = request.method == "POST"
                     ? writer_.Create(target, std::move(body.value().value), options.value())
                     : writer_.Replace(target, std::move(body.value().value), options.value());
  if (!written.ok()) return RefusalReply(written.refusal());
  return Show(*path.type, written.value(), shape, now);
}

Reply ApiModel::Patch(const Target& target, const Request& request, WriteOptions options,
                      Shape shape) {
  const auto kind = PatchKindOf(*target.type, MediaType(request.content_type));
  if (!kind.ok()) return RefusalReply(kind.refusal());
  ParsedJson patch =
      kind.value() == PatchKind::kApply ? ParseYaml(request.body) : ParseJson(request.body);
  if (!patch.error.empty()) return RefusalReply(BadRequest("error decoding patch: " + patch.error));
  options.duplicates = std::move(patch.duplicates);
  auto written = writer_.Patch(target, kind.value(), patch.value, options);
  if (!written.ok()) return RefusalReply(written.refusal());
  return Show(*target.type, written.value(), shape, options.now);
}

Reply ApiModel::Delete(const ResourcePath& path, const Query& query, const Request& request,
                       ServerTime now) {
  auto options = ReadWriteOptions(query, request, now);
  if (!options.ok()) return RefusalReply(options.refusal());
  auto asked = ReadDeleteOptions(query, request.body, options.value());
  if (!asked.ok()) return RefusalReply(asked.refusal());
  if (path.name.empty()) return DeleteMany(path, query, asked.value(), options.value());
  const Target target{path.type, path.ns, path.name, ""};
  auto written = writer_.Delete(target, asked.value(), options.value());
  if (!written.ok()) return RefusalReply(written.refusal());
  if (!written.value().deleted || IsPod(*path.type)) {
    return Show(*path.type, written.value(), Shape::kObject, now);
  }
  return JsonReply(200, DeletedStatus(*path.type, written.value().object->value));
}

Reply ApiModel::DeleteMany(const ResourcePath& path, const Query& query, const DeleteOptions& asked,
                           const WriteOptions& options) {
  auto list = ReadListQuery(path, query);
  if (!list.ok()) return RefusalReply(list.refusal());
  auto page = List(store_, list.value());
  if (!page.ok()) return RefusalReply(page.refusal());
  Json items = Json::array();
  for (const VersionPtr& item : page.value().items) {
    const std::string name(StringMember(item->value.at("metadata"), "name"));
    auto written = writer_.Delete({path.type, path.ns, name, ""}, asked, options);
    if (!written.ok() && written.refusal().code != 404) return RefusalReply(written.refusal());
    Json shown = ShowObject(*path.type, item->value);
    if (!path.type->custom) {  // As in its lists, the kind is left out.
      shown.erase("kind");
      shown.erase("apiVersion");
    }
    items.push_back(std::move(shown));
  }
  Json metadata = {{"resourceVersion", std::to_string(page.value().revision)}};
  if (path.type->custom) metadata["continue"] = "";
  return JsonReply(200, {{"kind", path.type->list_kind},
                         {"apiVersion", path.type->ApiVersion()},
                         {"metadata", std::move(metadata)},
                         {"items", std::move(items)}});
}

}  // namespace jobrun::api_model
