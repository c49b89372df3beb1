#include "controller/base/result.h"

namespace jobrun {

const char* CodeName(Code code) {
  switch (code) {
    case Code::kNotFound:
      return "not found";
    case Code::kConflict:
      return "conflict";
    case Code::kGone:
      return "gone";
    case Code::kUnauthorized:
      return "unauthorized";
    case Code::kForbidden:
      return "forbidden";
    case Code::kInvalid:
      return "invalid";
    case Code::kThrottled:
      return "throttled";
    case Code::kTransient:
      return "transient";
    case Code::kInternal:
      return "internal";
  }
  return "unknown";
}

}  // namespace jobrun
