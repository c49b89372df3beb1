#include "tests/api_model/status.h"

namespace jobrun::api_model {
namespace {

Refusal Fail(int code, const char* reason, const std::string& message, Json details = nullptr) {
  Json body = {{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", Json::object()},
               {"status", "Failure"}, {"message", message}, {"code", code}};
  if (*reason != '\0') body["reason"] = reason;
  if (!details.is_null()) body["details"] = std::move(details);
  return {code, std::move(body)};
}

Json Details(const Subject& subject) {
  Json details = Json::object();
  if (!subject.name.empty()) details["name"] = subject.name;
  if (!subject.group.empty()) details["group"] = subject.group;
  if (!subject.resource.empty()) details["kind"] = subject.resource;
  return details;
}

std::string Join(std::string head, const std::string& detail) {
  if (!detail.empty()) head += ": " + detail;
  return head;
}

}  // namespace

FieldError InvalidField(std::string field, const Json& value, const std::string& detail) {
  return {"FieldValueInvalid", std::move(field), Join("Invalid value: " + Dump(value), detail)};
}

FieldError InvalidFieldNoValue(std::string field, const std::string& detail) {
  return {"FieldValueInvalid", std::move(field), Join("Invalid value", detail)};
}

FieldError WrongTypeField(std::string field, const Json& value, const std::string& detail) {
  return {"FieldValueTypeInvalid", std::move(field), Join("Invalid value: " + Dump(value), detail)};
}

FieldError RequiredField(std::string field, const std::string& detail) {
  return {"FieldValueRequired", std::move(field), Join("Required value", detail)};
}

FieldError ForbiddenField(std::string field, const std::string& detail) {
  return {"FieldValueForbidden", std::move(field), Join("Forbidden", detail)};
}

FieldError DuplicateField(std::string field, const Json& value) {
  return {"FieldValueDuplicate", std::move(field), "Duplicate value: " + Dump(value)};
}

FieldError TooLongField(std::string field, std::int64_t max) {
  return {
      "FieldValueTooLong", std::move(field),
      "Too long: may not be more than " + std::to_string(max) + (max == 1 ? " byte" : " bytes")};
}

FieldError TooManyField(std::string field, std::size_t actual, std::int64_t max) {
  return {"FieldValueTooMany", std::move(field),
          "Too many: " + std::to_string(actual) + ": must have at most " + std::to_string(max) +
              (max == 1 ? " item" : " items")};
}

FieldError UnsupportedField(std::string field, const Json& value,
                            const std::vector<std::string>& supported) {
  std::string list;
  for (const std::string& each : supported) list += (list.empty() ? "" : ", ") + Quote(each);
  return {"FieldValueNotSupported", std::move(field),
          "Unsupported value: " + Dump(value) + ": supported values: " + list};
}

std::string Subject::Qualified() const { return group.empty() ? resource : resource + "." + group; }

Refusal NotFound(const Subject& subject) {
  return Fail(404, "NotFound", subject.Qualified() + " " + Quote(subject.name) + " not found",
              Details(subject));
}

Refusal AlreadyExists(const Subject& subject) {
  return Fail(409, "AlreadyExists",
              subject.Qualified() + " " + Quote(subject.name) + " already exists",
              Details(subject));
}

Refusal Conflict(const Subject& subject, const std::string& why) {
  return Fail(409, "Conflict",
              "Operation cannot be fulfilled on " + subject.Qualified() + " " +
                  Quote(subject.name) + ": " + why,
              Details(subject));
}

Refusal Modified(const Subject& subject) {
  return Conflict(
      subject,
      "the object has been modified; please apply your changes to the latest version and "
      "try again");
}

Refusal Forbidden(const Subject& subject, const std::string& why) {
  return Fail(403, "Forbidden",
              subject.Qualified() + " " + Quote(subject.name) + " is forbidden: " + why,
              Details(subject));
}

Refusal Invalid(const Subject& kind, const FieldErrors& errors) {
  Json details = Details(kind);
  std::vector<std::string> texts;
  for (const FieldError& error : errors) {
    details["causes"].push_back(
        {{"reason", error.type}, {"message", error.body}, {"field", error.field}});
    const std::string text = error.field + ": " + error.body;
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  if (texts.size() > 1) all = "[" + all + "]";
  return Fail(422, "Invalid", kind.Qualified() + " " + Quote(kind.name) + " is invalid: " + all,
              std::move(details));
}

Refusal UnprocessablePatch() {
  return Fail(422, "Invalid", "the server rejected our request due to an error in our request",
              Json::object());
}

Refusal BadRequest(const std::string& message) { return Fail(400, "BadRequest", message); }

Refusal MethodNotAllowed() {
  return Fail(405, "MethodNotAllowed",
              "the server does not allow this method on the requested resource", Json::object());
}

Refusal NotAcceptable(const std::string& accepted) {
  return Fail(406, "NotAcceptable", "only the following media types are accepted: " + accepted);
}

Refusal UnsupportedMediaType(const std::string& accepted) {
  return Fail(415, "UnsupportedMediaType",
              "the body of the request was in an unknown format - accepted media types include: " +
                  accepted);
}

Refusal Expired(const std::string& message) { return Fail(410, "Expired", message); }

Refusal TooLargeResourceVersion(std::uint64_t asked, std::uint64_t current) {
  const Json cause = {{"reason", "ResourceVersionTooLarge"},
                      {"message", "Too large resource version"}};
  return Fail(504, "Timeout",
              "Timeout: Too large resource version: " + std::to_string(asked) +
                  ", current: " + std::to_string(current),
              {{"causes", Json::array({cause})}, {"retryAfterSeconds", 1}});
}

Refusal Unauthorized() { return Fail(401, "Unauthorized", "Unauthorized"); }

Refusal EntityTooLarge(const std::string& message) {
  return Fail(413, "RequestEntityTooLarge", "Request entity too large: " + message);
}

Refusal InternalError(const std::string& message) {
  const Json cause = {{"message", message}};
  return Fail(500, "InternalError", "Internal error occurred: " + message,
              {{"causes", Json::array({cause})}});
}

Refusal UntypedError(const std::string& message) { return Fail(500, "", message); }

}  // namespace jobrun::api_model
