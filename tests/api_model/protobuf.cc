#include "tests/api_model/protobuf.h"

#include <cstdint>
#include <map>
#include <string>

namespace jobrun::api_model {
namespace {

using namespace std::string_view_literals;

std::optional<std::uint64_t> TakeVarint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

// The length-delimited fields of a message by number; other kinds are skipped. Nothing when it is
// malformed.
using Fields = std::multimap<std::uint64_t, std::string_view>;
std::optional<Fields> ReadFields(std::string_view bytes) {
  Fields fields;
  while (!bytes.empty()) {
    const auto tag = TakeVarint(bytes);
    if (!tag) return std::nullopt;
    std::optional<std::uint64_t> length;
    switch (*tag & 7U) {
      case 0:
        if (!TakeVarint(bytes)) return std::nullopt;
        continue;
      case 1:
        length = 8;
        break;
      case 2:
        length = TakeVarint(bytes);
        break;
      case 5:
        length = 4;
        break;
      default:
        return std::nullopt;
    }
    if (!length || *length > bytes.size()) return std::nullopt;
    if ((*tag & 7U) == 2) fields.emplace(*tag >> 3U, bytes.substr(0, *length));
    bytes.remove_prefix(*length);
  }
  return fields;
}

std::string_view First(const Fields& fields, std::uint64_t number) {
  const auto found = fields.find(number);
  return found == fields.end() ? std::string_view() : found->second;
}

// A map<string, string>.
std::optional<Json> ReadMap(const Fields& fields, std::uint64_t number) {
  Json map = Json::object();
  const auto [begin, end] = fields.equal_range(number);
  for (auto it = begin; it != end; ++it) {
    const auto entry = ReadFields(it->second);
    if (!entry) return std::nullopt;
    map[std::string(First(*entry, 1))] = First(*entry, 2);
  }
  return map;
}

}  // namespace

std::optional<Json> NamespaceFromProtobuf(std::string_view bytes) {
  constexpr std::string_view kMagic = "k8s\0"sv;
  if (!bytes.starts_with(kMagic)) return std::nullopt;
  const auto envelope = ReadFields(bytes.substr(kMagic.size()));
  if (!envelope) return std::nullopt;
  const auto type = ReadFields(First(*envelope, 1));
  if (!type || First(*type, 1) != "v1" || First(*type, 2) != "Namespace") return std::nullopt;
  const auto object = ReadFields(First(*envelope, 2));
  const auto metadata = object ? ReadFields(First(*object, 1)) : std::nullopt;
  if (!metadata) return std::nullopt;
  const auto labels = ReadMap(*metadata, 11);
  const auto annotations = ReadMap(*metadata, 12);
  if (!labels || !annotations) return std::nullopt;
  Json made = {{"name", First(*metadata, 1)}};
  if (const auto prefix = First(*metadata, 2); !prefix.empty()) made["generateName"] = prefix;
  if (!labels->empty()) made["labels"] = *labels;
  if (!annotations->empty()) made["annotations"] = *annotations;
  return Json{{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", std::move(made)}};
}

}  // namespace jobrun::api_model
