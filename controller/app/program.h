// The whole controller, put together.
#pragma once

#include "controller/app/flags.h"

namespace jobrun {

// Runs until a signal stops it; returns the exit code. Says why on stderr when it is not
// kExitStopped. Call once, on the main thread; end the process with _exit afterwards: cpprestsdk's
// static destructors have crashed at exit.
[[nodiscard]] int RunController(const Flags& flags);

}  // namespace jobrun
