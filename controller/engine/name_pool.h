// The names of many runs, packed: one by one on the heap each would cost 8 to 24 bytes more.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace jobrun {

// Rooms of 8, 16, 24… bytes out of large blocks; one that is given back is used again for a name of
// its size. Nothing is returned to the heap before the pool's end. One thread.
class NamePool {
 public:
  NamePool() = default;
  NamePool(const NamePool&) = delete;
  NamePool& operator=(const NamePool&) = delete;

  // A copy with a NUL behind it, which stays where it is until Remove. `name` holds no NUL.
  [[nodiscard]] const char* Add(std::string_view name);
  void Remove(const char* name);

 private:
  [[nodiscard]] char* NewRoom(std::size_t bytes);

  std::vector<std::unique_ptr<char[]>> blocks_{};
  char* room_{nullptr};  // what is left of the last block
  std::size_t room_left_{0};
  // By size: the last room that was given back. Each holds where the one before it is.
  std::vector<char*> free_{};
};

}  // namespace jobrun
