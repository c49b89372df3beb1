// Which of the bugs that plants.py has planted is switched on; 0: none.
#pragma once

namespace jobrun {

extern int planted_bug;

}  // namespace jobrun
