#include "controller/engine/name_pool.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace jobrun {
namespace {

constexpr std::size_t kStep = sizeof(char*);
constexpr std::size_t kBlockBytes = std::size_t{16} * 1024;

// Which size of room a name of this length needs, counted from 0.
std::size_t SizeOf(std::size_t length) { return length / kStep; }
std::size_t BytesOf(std::size_t size) { return (size + 1) * kStep; }

}  // namespace

const char* NamePool::Add(std::string_view name) {
  const std::size_t size = SizeOf(name.size());
  char* room = size < free_.size() ? free_[size] : nullptr;
  if (room == nullptr) {
    room = NewRoom(BytesOf(size));
  } else {
    std::memcpy(&free_[size], room, sizeof(char*));
  }
  std::memcpy(room, name.data(), name.size());
  room[name.size()] = '\0';
  return room;
}

void NamePool::Remove(const char* name) {
  const std::size_t size = SizeOf(std::strlen(name));
  if (size >= free_.size()) free_.resize(size + 1);
  char* const room =
      const_cast<char*>(name);  // NOLINT(cppcoreguidelines-pro-type-const-cast): ours
  std::memcpy(room, &free_[size], sizeof(char*));
  free_[size] = room;
}

char* NamePool::NewRoom(std::size_t bytes) {
  if (bytes > room_left_) {
    room_left_ = std::max(bytes, kBlockBytes);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(room_left_));
    room_ = blocks_.back().get();
  }
  room_left_ -= bytes;
  return std::exchange(room_, room_ + bytes);
}

}  // namespace jobrun
