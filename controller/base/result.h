// Results of operations that may fail in ways a caller expects.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace jobrun {

// What the caller can do about a failure; the text is for people only and never branched on.
enum class Code : unsigned char {
  kNotFound,      // the object is gone: forget it
  kConflict,      // someone wrote first: judge the fresh object
  kGone,          // the version asked for is compacted: list again
  kUnauthorized,  // credentials refused: read them again
  kForbidden,     // a permission is missing: wait for an operator
  kInvalid,       // refused for its content: the same request will be refused again
  kThrottled,     // later, as the server says
  kTransient,     // no answer, or a fault of the server: try again with backoff
  kInternal,      // our own fault
};

[[nodiscard]] const char* CodeName(Code code);

struct Error {
  Code code{Code::kInternal};
  std::string operation;  // what was being done, e.g. "read the kubeconfig /root/.kube/config"
  std::string detail;     // what happened and what was expected

  [[nodiscard]] std::string ToString() const { return operation + ": " + detail; }
};

// A value or an Error. Asking for the one that is not there is a bug of the caller.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  [[nodiscard]] const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  [[nodiscard]] const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

 private:
  std::variant<T, Error> state_;
};

// The result of an operation that has no value to give.
using Outcome = Result<std::monostate>;
inline Outcome Ok() { return std::monostate{}; }

}  // namespace jobrun
