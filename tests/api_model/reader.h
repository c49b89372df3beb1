// The read path: get and list, with the API's rules for resourceVersion, limit and continue.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/api_model/request.h"
#include "tests/api_model/revision_store.h"
#include "tests/api_model/selectors.h"

namespace jobrun::api_model {

struct ListQuery {
  const ResourceType* type = nullptr;
  std::string ns{};  // "": all
  Selector selector{};
  std::int64_t limit = 0;  // 0: all
  std::string continue_token{};
  std::string resource_version{};
  std::string match{};  // resourceVersionMatch

  // Keys below this are asked for.
  [[nodiscard]] std::string Prefix() const {
    return type->namespaced && !ns.empty() ? ns + "/" : std::string();
  }
};

struct ListPage {
  std::vector<VersionPtr> items{};
  Revision revision = 0;
  std::string continue_token{};
  std::optional<std::int64_t> remaining{};
};

// A resourceVersion parameter; nothing for "", 400 for what is no number.
[[nodiscard]] Or<std::optional<Revision>> ParseRevision(const std::string& text);

// From what the request asks for; 400 or 422 for what makes no sense.
[[nodiscard]] Or<ListQuery> ReadListQuery(const ResourcePath& path, const Query& query);

[[nodiscard]] Or<ListPage> List(const RevisionStore& store, const ListQuery& query);

// `resource_version` is a lower bound of how fresh the answer must be.
[[nodiscard]] Or<VersionPtr> Get(const RevisionStore& store, const ResourcePath& path,
                                 const std::string& resource_version);

}  // namespace jobrun::api_model
