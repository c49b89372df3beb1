#include "controller/wire/election_lease.h"

#include <charconv>
#include <limits>
#include <tuple>

#include "controller/wire/json_cursor.h"
#include "controller/wire/json_writer.h"
#include "controller/wire/scratch.h"

namespace jobrun {
namespace {

namespace ondemand = json::ondemand;

// 0 for what is no whole number; the nearest there is for one that is too large.
std::int64_t Whole(std::string_view token) {
  using Limits = std::numeric_limits<std::int64_t>;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  if (end != token.data() + token.size()) return 0;
  if (error == std::errc::result_out_of_range) {
    return token.starts_with('-') ? Limits::min() : Limits::max();
  }
  return error == std::errc() ? number : 0;
}

class LeaseReader {
 public:
  bool ReadField(std::string_view key, ondemand::value& value) {
    if (key == "metadata" && json::IsObject(value)) {
      return json::EachField(value, [this](std::string_view name, ondemand::value& field) {
        if (name == "uid") lease.uid = ParseUid(Text(field)).value_or(Uid{});
        if (name == "resourceVersion") lease.resource_version = Text(field);
        return true;
      });
    }
    if (key != "spec" || !json::IsObject(value)) return true;
    return json::EachField(value, [this](std::string_view name, ondemand::value& field) {
      if (name == "holderIdentity") lease.holder = Text(field);
      if (name == "leaseDurationSeconds") lease.duration_seconds = Whole(json::Token(field));
      if (name == "acquireTime") lease.acquire_time = Text(field);
      if (name == "renewTime") lease.renew_time = Text(field);
      if (name == "leaseTransitions") lease.transitions = Whole(json::Token(field));
      return true;
    });
  }

  ElectionLease lease{};

 private:
  std::string_view Text(ondemand::value& value) {
    return json::Text(value, scratch_).value_or(std::string_view());
  }

  Scratch scratch_;
};

void WriteSpec(json::Writer& writer, const ElectionLease& lease) {
  writer.Key("spec")
      .Open()
      .Text("holderIdentity", lease.holder)
      .Key("leaseDurationSeconds")
      .Raw(std::to_string(lease.duration_seconds))
      .Text("acquireTime", lease.acquire_time)
      .Text("renewTime", lease.renew_time)
      .Key("leaseTransitions")
      .Raw(std::to_string(lease.transitions))
      .Close();
}

}  // namespace

bool IsSameRecord(const ElectionLease& before, const ElectionLease& after) {
  const auto record = [](const ElectionLease& lease) {
    return std::tie(lease.uid.high, lease.uid.low, lease.holder, lease.duration_seconds,
                    lease.acquire_time, lease.renew_time, lease.transitions);
  };
  return record(before) == record(after);
}

Result<ElectionLease> ReadElectionLease(std::string_view json_text) {
  constexpr const char* kOperation = "read the Lease of the election";
  std::string buffer;
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object root;
  LeaseReader reader;
  const bool sound =
      json::OpenObject(parser, json::CopyPadded(buffer, json_text), document, root) &&
      json::EachField(root,
                      [&reader](std::string_view key, ondemand::value& value) {
                        return reader.ReadField(key, value);
                      }) &&
      json::AtEnd(document);
  if (!sound) {
    return Error{Code::kInvalid, kOperation, "expected an object in well-formed JSON"};
  }
  if (reader.lease.resource_version.empty()) {
    return Error{Code::kInvalid, kOperation, "metadata.resourceVersion: expected a string"};
  }
  return std::move(reader.lease);
}

std::string WriteElectionLease(std::string_view name_space, std::string_view name,
                               const ElectionLease& lease) {
  json::Writer writer;
  writer.Open().Text("apiVersion", "coordination.k8s.io/v1").Text("kind", "Lease");
  writer.Key("metadata").Open().Text("namespace", name_space).Text("name", name).Close();
  WriteSpec(writer, lease);
  return writer.Close().Take();
}

std::string WriteElectionPatch(const ElectionLease& lease) {
  json::Writer writer;
  writer.Open().Key("metadata").Open().Text("resourceVersion", lease.resource_version).Close();
  WriteSpec(writer, lease);
  return writer.Close().Take();
}

}  // namespace jobrun
