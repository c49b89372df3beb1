// What the load server answers with, as text.
#pragma once

#include <string>
#include <string_view>

#include "controller/base/time.h"
#include "tests/bench/loadserver/connection.h"

namespace jobrun::bench {

// The text of a string field in JSON that we know to be compact, and whose strings hold no bare
// quotes.
[[nodiscard]] std::string StringField(std::string_view json, std::string_view name);

// The text of an object field in JSON of the same kind, braces included; "{}" without one.
[[nodiscard]] std::string ObjectField(std::string_view json, std::string_view name);

[[nodiscard]] std::string Head(int status, std::string_view framing, ServerTime wall);
void Answer(Connection& to, int status, std::string_view body, ServerTime wall);
void Refuse(Connection& to, int status, std::string_view reason, ServerTime wall);

}  // namespace jobrun::bench
