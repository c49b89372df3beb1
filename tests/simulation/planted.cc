#include "tests/simulation/planted.h"

namespace jobrun {

int planted_bug = 0;

}  // namespace jobrun
