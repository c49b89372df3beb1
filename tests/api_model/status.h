// The API server's refusals: Status objects with the codes, reasons and messages of the real one.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/api_model/json.h"

namespace jobrun::api_model {

// A refused request: the HTTP status and the `Status` object of the answer.
struct Refusal {
  int code{500};
  Json body{};
};

// A value or a refusal.
template <class T>
class [[nodiscard]] Or {
 public:
  Or(T value) : state_(std::in_place_index<0>, std::move(value)) {}            // NOLINT: implicit
  Or(Refusal refusal) : state_(std::in_place_index<1>, std::move(refusal)) {}  // NOLINT: implicit

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  [[nodiscard]] T& value() { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const { return std::get<0>(state_); }
  [[nodiscard]] const Refusal& refusal() const { return std::get<1>(state_); }

 private:
  std::variant<T, Refusal> state_;
};

using Checked = Or<std::monostate>;
inline Checked Fine() { return std::monostate{}; }

// One complaint about one field, as the Go package `field` words it. `field` is "<nil>" for the
// whole object.
struct FieldError {
  std::string type{};   // "FieldValueInvalid"
  std::string field{};  // "spec.lane"
  std::string body{};   // "Invalid value: \"X\": spec.lane in body should match '…'"
};
using FieldErrors = std::vector<FieldError>;

[[nodiscard]] FieldError InvalidField(std::string field, const Json& value,
                                      const std::string& detail);
// Without the value: what CEL rules on objects and lists say.
[[nodiscard]] FieldError InvalidFieldNoValue(std::string field, const std::string& detail);
[[nodiscard]] FieldError WrongTypeField(std::string field, const Json& value,
                                        const std::string& detail);
[[nodiscard]] FieldError RequiredField(std::string field, const std::string& detail = "");
[[nodiscard]] FieldError ForbiddenField(std::string field, const std::string& detail);
[[nodiscard]] FieldError DuplicateField(std::string field, const Json& value);
[[nodiscard]] FieldError TooLongField(std::string field, std::int64_t max);
[[nodiscard]] FieldError TooManyField(std::string field, std::size_t actual, std::int64_t max);
[[nodiscard]] FieldError UnsupportedField(std::string field, const Json& value,
                                          const std::vector<std::string>& supported);

// What a refusal is about: "jobruns.jobrun.dev" (or a kind) and a name.
struct Subject {
  std::string group{};
  std::string resource{};  // plural, or the kind for kInvalid
  std::string name{};

  [[nodiscard]] std::string Qualified() const;
};

[[nodiscard]] Refusal NotFound(const Subject& subject);
[[nodiscard]] Refusal AlreadyExists(const Subject& subject);
[[nodiscard]] Refusal Conflict(const Subject& subject, const std::string& why);
// The conflict of a stale resourceVersion.
[[nodiscard]] Refusal Modified(const Subject& subject);
[[nodiscard]] Refusal Forbidden(const Subject& subject, const std::string& why);
[[nodiscard]] Refusal Invalid(const Subject& kind, const FieldErrors& errors);
// 422 of a patch that can't be applied; it names no field.
[[nodiscard]] Refusal UnprocessablePatch();
[[nodiscard]] Refusal BadRequest(const std::string& message);
[[nodiscard]] Refusal MethodNotAllowed();
[[nodiscard]] Refusal NotAcceptable(const std::string& accepted);
[[nodiscard]] Refusal UnsupportedMediaType(const std::string& accepted);
[[nodiscard]] Refusal Expired(const std::string& message);
[[nodiscard]] Refusal TooLargeResourceVersion(std::uint64_t asked, std::uint64_t current);
[[nodiscard]] Refusal Unauthorized();
[[nodiscard]] Refusal EntityTooLarge(const std::string& message);
[[nodiscard]] Refusal InternalError(const std::string& message);
// 500 without a reason: what the real server makes of errors it has no type for.
[[nodiscard]] Refusal UntypedError(const std::string& message);

}  // namespace jobrun::api_model
