#include "controller/engine/policy_table.h"

#include <algorithm>
#include <functional>

#include "controller/verdict/resolve.h"

namespace jobrun {
namespace {

std::size_t Combine(std::size_t seed, std::size_t value) {
  return seed ^ (value + 0x9e3779b97f4a7c15U + (seed << 6U) + (seed >> 2U));
}

}  // namespace

LaneLabels::LaneLabels(const Settings& settings)
    : names_{std::string(kOtherLane), std::string(kDefaultLane)} {
  Add(settings);
}

void LaneLabels::Add(const Settings& settings) {
  configured_.clear();
  configured_.emplace(kDefaultLane, LaneIndex{1});
  for (const Lane& lane : settings.lanes) {
    const auto found = std::ranges::find(names_, lane.name);
    const auto place = static_cast<LaneIndex>(found - names_.begin());
    if (found == names_.end()) names_.push_back(lane.name);
    configured_.insert_or_assign(lane.name, place);
  }
}

LaneIndex LaneLabels::Find(std::string_view lane) const {
  const auto found = configured_.find(std::string(lane));
  return found == configured_.end() ? LaneIndex{0} : found->second;
}

PolicyTable::PolicyTable(const Settings& settings) : settings_(settings), labels_(settings) {
  for (const Lane& lane : settings_.lanes) lanes_.emplace(lane.name, &lane);
}

std::size_t PolicyTable::KeyHash::operator()(const Key& key) const {
  std::size_t hash = std::hash<std::string>{}(key.lane);
  const auto add = [&](const auto& value) {
    hash = Combine(hash, value ? static_cast<std::size_t>(*value) + 1 : 0);
  };
  add(key.thresholds.reaping);
  add(key.thresholds.heartbeat_mode);
  add(key.thresholds.heartbeat_source);
  for (const SecondsField& field : kSecondsFields) {
    const std::optional<Seconds>& value = key.thresholds.*field.member;
    hash = Combine(hash, value ? static_cast<std::size_t>(value->count()) + 1 : 0);
  }
  add(key.thresholds.retry.max_attempts);
  if (key.thresholds.completion_gates) {
    for (const std::string& gate : *key.thresholds.completion_gates) {
      hash = Combine(hash, std::hash<std::string>{}(gate));
    }
  }
  return hash;
}

void PolicyTable::Resolve(Entry& entry) const {
  LaneRules rules;
  if (const auto found = lanes_.find(entry.lane); found != lanes_.end()) {
    const Lane& lane = *found->second;
    rules = {&lane.thresholds, &lane.max, lane.overridable, lane.held};
  }
  entry.policy = ResolvePolicy(entry.thresholds, rules, settings_.defaults, settings_.reaping);
  entry.gates = ResolveGates(entry.thresholds, rules, settings_.defaults);
  entry.retry = ResolveRetry(entry.thresholds, rules, settings_.defaults);
  entry.label = labels_.Find(entry.lane);
}

PolicyId PolicyTable::Acquire(std::string_view lane, const Thresholds& thresholds) {
  Key key{std::string(lane.empty() ? kDefaultLane : lane), thresholds};
  if (const auto found = ids_.find(key); found != ids_.end()) {
    ++entries_[found->second].holders;
    return found->second;
  }
  ++version_;
  auto id = static_cast<PolicyId>(entries_.size());
  if (free_.empty()) {
    entries_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  entries_[id] = {.lane = key.lane, .thresholds = thresholds, .holders = 1};
  Resolve(entries_[id]);
  ids_.emplace(std::move(key), id);
  return id;
}

void PolicyTable::Release(PolicyId id) {
  Entry& entry = entries_[id];
  if (--entry.holders > 0) return;
  ++version_;
  ids_.erase(Key{entry.lane, entry.thresholds});
  entry = {};
  free_.push_back(id);
}

void PolicyTable::Reload(const Settings& settings, std::vector<Policy>& before) {
  ++version_;
  settings_ = settings;
  lanes_.clear();
  for (const Lane& lane : settings_.lanes) lanes_.emplace(lane.name, &lane);
  labels_.Add(settings_);
  before.clear();
  for (Entry& entry : entries_) {
    before.push_back(entry.policy);
    if (entry.holders > 0) Resolve(entry);
  }
}

bool PolicyTable::AsksForLeases() const {
  return std::ranges::any_of(entries_, [](const Entry& entry) {
    return entry.holders > 0 && entry.policy.heartbeat_source == HeartbeatSource::kLease;
  });
}

Nanos PolicyTable::ShortestTimeout() const {
  Nanos shortest = std::chrono::hours(1);
  for (const Entry& entry : entries_) {
    if (entry.holders == 0 || entry.policy.heartbeat_mode == HeartbeatMode::kIgnored) continue;
    shortest = std::min(shortest, Nanos(entry.policy.heartbeat_timeout));
  }
  return shortest;
}

}  // namespace jobrun
