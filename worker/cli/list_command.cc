// jobrun list: runs as a table, as objects, or as they change.
#include <CLI/CLI.hpp>
#include <utility>

#include "controller/base/real_clock.h"
#include "controller/wire/http_status.h"
#include "worker/cli/object_text.h"
#include "worker/cli/run_follower.h"
#include "worker/cli/run_pages.h"
#include "worker/cli/text_table.h"

namespace jobrun {
namespace {

struct ListFlags {
  ScopeFlags scope{};
  bool watch{false};
};

std::string NameLine(const RunRow& row, bool with_name_space) {
  return Harmless(with_name_space ? row.name_space + '/' + row.name : row.name) + '\n';
}

// Where there is something, a word about what there is not would be one too many.
int Told(Tool& tool, std::size_t runs, const ListFlags& flags) {
  if (runs == 0) {
    const std::string words = "jobrun: no " + WordsOf(flags.scope, tool.Namespace()) + '\n';
    std::fwrite(words.data(), 1, words.size(), stderr);
  }
  return kToolDone;
}

int ListRows(Tool& tool, ApiClient& api, const ListFlags& flags) {
  const bool names = tool.Flags().output == "name";
  const Columns columns{.name_space = flags.scope.all_namespaces,
                        .wide = tool.Flags().output == "wide"};
  TextTable table(HeadOf(columns));
  std::size_t runs = 0;
  const int code =
      EachPage(tool, api, ScopeOf(flags.scope, tool.Namespace()), [&](const std::string& body) {
        const ServerTime now = api.Stamp().Next(ReadClocks().mono);
        std::string lines;
        auto page = api.Decoder().DecodePage(
            body,
            [&](const Event& event) {
              ++runs;
              const RunRow row = RowOf(event);
              if (names) {
                lines += NameLine(row, columns.name_space);
              } else {
                table.Add(CellsOf(row, columns, now));
              }
            },
            body.capacity());
        if (table.Rows() > 0) lines = table.Take();
        if (page && !lines.empty()) Print(lines);
        return page;
      });
  return code == kToolDone ? Told(tool, runs, flags) : code;
}

// A list in JSON is one object, of which one page is there at a time; in YAML it is a document for
// each run.
class ObjectPrinter {
 public:
  explicit ObjectPrinter(bool yaml) : yaml_(yaml) {}

  Result<EventDecoder::Page> PrintPage(const std::string& body) {
    const auto page = ParseJson(body);
    const Error bad{Code::kTransient, "read the answer", "expected a list of JobRuns"};
    if (!page) return bad;
    const OrderedJson& items = PartOf(*page, "items");
    if (!items.is_array()) return bad;
    Begin();
    for (const OrderedJson& item : items) PrintItem(item);
    const OrderedJson& metadata = PartOf(*page, "metadata");
    return EventDecoder::Page{.resource_version = TextAt(metadata, "resourceVersion"),
                              .continue_token = TextAt(metadata, "continue")};
  }

  void End() {
    Begin();
    if (!yaml_) Print(runs_ == 0 ? "]}\n" : "\n]}\n");
  }

 private:
  void Begin() {
    if (!std::exchange(begun_, true) && !yaml_) {
      Print(R"({"apiVersion":"v1","kind":"List","metadata":{},"items":[)");
    }
  }

  void PrintItem(OrderedJson item) {
    // Items of a list may come without what the list says of them all.
    if (!item.contains("kind")) {
      OrderedJson whole = {{"apiVersion", "jobrun.dev/v1"}, {"kind", "JobRun"}};
      whole.update(item);
      item = std::move(whole);
    }
    if (item.contains("metadata")) item["metadata"].erase("managedFields");  // of no use to people
    if (yaml_) {
      Print((runs_ == 0 ? "" : "---\n") + YamlText(item));
    } else {
      Print((runs_ == 0 ? "\n" : ",\n") + JsonText(item));
    }
    ++runs_;
  }

  const bool yaml_;
  bool begun_{false};
  std::size_t runs_{0};
};

int ListObjects(Tool& tool, ApiClient& api, const ListFlags& flags) {
  ObjectPrinter printer(tool.Flags().output == "yaml");
  const int code = EachPage(tool, api, ScopeOf(flags.scope, tool.Namespace()),
                            [&](const std::string& body) { return printer.PrintPage(body); });
  if (code == kToolDone) printer.End();
  return code;
}

class ChangePrinter final : private RunListener {
 public:
  ChangePrinter(Tool& tool, ApiClient& api, const ListFlags& flags)
      : tool_(tool),
        api_(api),
        columns_{.name_space = flags.scope.all_namespaces,
                 .wide = tool.Flags().output == "wide",
                 .change = true},
        table_(HeadOf(columns_)),
        watch_(api, ScopeOf(flags.scope, tool.Namespace()), *this) {}

  int Run() {
    watch_.Start();
    for (;;) tool_.Loop().Run();
  }

 private:
  void OnRun(const RunRow& row, bool is_new) override {
    const std::string change = row.deleted ? "DELETED" : is_new ? "ADDED" : "MODIFIED";
    const ServerTime now = api_.Stamp().Next(ReadClocks().mono);
    if (tool_.Flags().output == "name") {
      lines_ += NameLine(row, columns_.name_space);
    } else if (tool_.Flags().output == "json") {
      lines_ += JsonText(ObjectOf(row, change), -1) + '\n';
    } else {
      std::vector<std::string> cells = CellsOf(row, columns_, now);
      cells.insert(cells.begin(), change);
      table_.Add(std::move(cells));
      if (table_.Rows() >= kRowsMax) OnTurn(false);
    }
  }

  void OnTurn(bool) override {
    if (table_.Rows() > 0) lines_ += table_.Take();
    if (!lines_.empty()) Print(std::exchange(lines_, {}));
  }

  static OrderedJson ObjectOf(const RunRow& row, const std::string& change) {
    OrderedJson object = {{"change", change},
                          {"namespace", row.name_space},
                          {"name", row.name},
                          {"uid", FormatUid(row.uid)}};
    if (!row.readable) return object;
    object["resourceVersion"] = std::to_string(row.resource_version);
    object["phase"] = PhaseName(row.phase);
    const auto add = [&object](const char* key, const std::string& value) {
      if (!value.empty()) object[key] = value;
    };
    add("lane", row.lane);
    add("worker", row.worker);
    add("lastHeartbeatAt", row.heartbeat);
    add("reason", row.reason);
    add("progress", row.progress);
    if (row.exit_code) object["exitCode"] = *row.exit_code;
    object["attempt"] = row.attempt;
    add("retry", row.retry);
    add("successor", row.successor);
    return object;
  }

  static constexpr std::size_t kRowsMax = 500;  // that wait to be printed together

  Tool& tool_;
  ApiClient& api_;
  const Columns columns_;
  TextTable table_;
  std::string lines_{};
  RunFollower watch_;
};

int Watch(Tool& tool, ApiClient& api, const ListFlags& flags) {
  if (tool.Flags().output == "yaml") {
    return tool.FailUsage("--watch: expected -o text, wide, name or json, found yaml");
  }
  // A watch tries again for ever; what can't work is told once, before.
  const WatchScope scope = ScopeOf(flags.scope, tool.Namespace());
  const Response answer =
      api.Call({.klass = RequestClass::kData, .target = ListTarget(scope, {.limit = 1})});
  if (answer.status != kHttpOk) return tool.Fail(FailureOf(answer, "watch JobRuns"));
  return ChangePrinter(tool, api, flags).Run();
}

int List(Tool& tool, const ListFlags& flags) {
  if (const auto mistake = MistakeIn(flags.scope)) return tool.FailUsage(*mistake);
  if (flags.scope.all_namespaces && !tool.Flags().name_space.empty()) {
    return tool.FailUsage("--all-namespaces and --namespace contradict each other");
  }
  const auto api = tool.Api();
  if (!api) return tool.FailCredentials(api.error());
  if (flags.watch) return Watch(tool, **api, flags);
  const std::string& output = tool.Flags().output;
  const bool objects = output == "json" || output == "yaml";
  return objects ? ListObjects(tool, **api, flags) : ListRows(tool, **api, flags);
}

}  // namespace

void AddList(const CommandLine& line) {
  const auto flags = std::make_shared<ListFlags>();
  CLI::App& command =
      *line.app.add_subcommand("list", "Show runs (-o text, wide, name, json, yaml)");
  command.alias("get");
  AddCommonFlags(command, line.flags);
  AddScopeFlags(command, flags->scope);
  command.add_flag("-w,--watch", flags->watch, "Then print each change as it comes");
  command.callback([line, flags] {
    line.flags.outputs = {"text", "wide", "name", "json", "yaml"};
    line.chosen = [flags](Tool& tool) { return List(tool, *flags); };
  });
}

}  // namespace jobrun
