"""Several controllers that divide the runs among themselves, by label or by namespace. Each part has its own Lease, its own
standby and its own runs; what befalls one of them is not noticed in another."""

from crew import SCALED, Crew, counted_as_written
from replicas import FAILOVER_SECONDS, await_leader, leader_of, leads
from space import LATE_SECONDS, SELECTS, TERMINAL, beats, eventually
from stories import story

TEAMS = ("a", "b", "c")
LONG_AGO = "2001-01-01T00:00:00Z"
AWAY = 12  # Seconds: the timeout of those that nobody of their shard sees.
AGE_SECONDS = 8  # What a start leaves to a run that is listed (docs/safety.md, the bound), and a little.


class Shard:
    """One part of the runs: two controllers that see nothing else, and workers of runs of it."""

    def __init__(self, word, space, flags, home, labels=None):
        self.word, self.space, self.labels = word, space, labels
        self.controllers = [space.controller("--leader-elect", *flags, config=SCALED, canaries_in=home, lease=None)
                            for _ in range(2)]
        self.leader, (self.standby,) = leader_of(self.controllers)
        self.crew = Crew(space, 6, lane=f"team-{word}", labels=labels)
        self.names = [f"team-{word}-{number}" for number in range(1, 7)]

    def lease(self):
        """The name of the Lease, which all its replicas must have in common."""
        ((lease, *_),) = {key for each in self.controllers if each.running
                          for key in each.metrics().by("jobrun_shard_info", "lease", "namespaces", "selector")}
        return lease

    def sees(self, number):
        """Its controllers know of so many runs."""
        if SELECTS:
            number = sum(self.space.get(name).phase not in TERMINAL for name in self.names)
        for each in self.controllers:
            if each.running:
                eventually(lambda each=each: each.metrics().total("jobrun_runs") == number)

    def comes_out_right(self):
        """The dead are reaped, each once and by this shard; the living are not."""
        self.crew.dead_are_reaped(self.crew.timeout + FAILOVER_SECONDS + LATE_SECONDS)
        self.crew.nobody_living_was_reaped()
        own = {each.process_id for each in self.controllers}
        for name in self.names:
            assert len(self.space.verdicts(name)) <= 1, name
            assert {verdict.rpartition("-")[0] for _, _, verdict, _ in self.space.verdicts(name)} <= own, name


def one_part_is_taken_over(shards):
    """While runs of all shards die and live, the leader of the first is killed. Its standby takes over that part; the other
    leaders go on leading, and none of them takes longer over its own dead."""
    for shard in shards:
        shard.crew.lose(1)
    first, *others = shards
    first.leader.kill()
    for shard in shards:
        shard.crew.lose(2)
    for shard in others:
        shard.crew.dead_are_reaped(shard.crew.timeout + LATE_SECONDS)
    await_leader(first.standby)
    for shard in shards:
        shard.comes_out_right()
    assert all(leads(shard.leader) and not leads(shard.standby) for shard in others)
    for shard in others:
        assert (shard.leader.reaps(), shard.standby.reaps()) == (3, 0), shard.word


@story
def test_three_shards_by_label_of_which_one_is_taken_over(space):
    home = space.neighbour("home").name
    space.dead("of-no-shard", beats(3), labels={"team": "d"})
    shards = [Shard(team, space, ["--selector", f"team={team}"], home, {"team": team}) for team in TEAMS]
    assert len({shard.lease() for shard in shards}) == len(shards)
    one_part_is_taken_over(shards)
    for shard in shards:
        shard.sees(6)
    space.stays("of-no-shard", "Running", 0)
    counted_as_written(space)


@story
def test_three_shards_by_namespace_of_which_one_is_taken_over(space):
    home = space.name
    spaces = [space.neighbour(team) for team in TEAMS]
    shards = [Shard(team, each, [], home) for team, each in zip(TEAMS, spaces)]
    assert len({shard.lease() for shard in shards}) == len(shards)
    one_part_is_taken_over(shards)
    for shard in shards:
        shard.sees(6)
        counted_as_written(shard.space)


@story
def test_a_run_that_is_given_another_label_is_given_to_another_shard(space):
    """It is let go by the one and taken by the other, which counts its silence from when it saw it. The last shard takes
    all that the others leave, also what has no label at all."""
    home = space.neighbour("home").name
    first, rest = [space.controller("--selector", selector, config=SCALED, canaries_in=home, lease=None)
                   for selector in ("team=a", "team notin (a,b)")]
    space.dead("has-none", beats(3))
    space.ends("has-none", "Stuck", "HeartbeatTimeout", 3 + LATE_SECONDS)
    moved = space.alive("moved", beats(4), labels={"team": "a"})
    eventually(lambda: first.metrics().total("jobrun_runs") == 1)
    assert space.rest.merge(f"{space.runs}/moved", {"metadata": {"labels": {"team": "c"}}}).code == 200
    eventually(lambda: (first.metrics().total("jobrun_runs"), rest.metrics().total("jobrun_runs")) == (0, 1 if SELECTS else 2))
    space.stays("moved", "Running", 5)
    moved.fall_silent()
    space.silent_until_reaped(moved, "moved", 4)
    space.counted(first, 0)
    space.counted(rest, 2)


@story
def test_a_shard_that_was_away_counts_the_silence_that_another_one_saw(space):
    """Its canaries were silent, too; but the other's were not, so workers could write all the time."""
    home = space.neighbour("home").name
    space.controller("--selector", "team=a", config=SCALED, canaries_in=home, lease=None)
    away = space.controller("--selector", "team=b", config=SCALED, canaries_in=home, lease=None)
    lives = space.claimed("lives", beats(AWAY), labels={"team": "b"}, at=LONG_AGO).beat_every(0.5)
    space.dead("dies", beats(AWAY), labels={"team": "b"})
    away.kill()
    space.stays("dies", "Running", AWAY + AGE_SECONDS)
    space.controller("--selector", "team=b", config=SCALED, canaries_in=home, lease=None)
    space.ends("dies", "Stuck", "HeartbeatTimeout", AWAY - 4)
    space.stays("lives", "Running", 0)
    lives.fall_silent()


@story
def test_a_run_of_two_shards_is_reaped_once(space):
    """By whichever comes first, and by its thresholds."""
    home = space.neighbour("home").name
    slow = {**SCALED, "lanes": {"shared": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 20}}}}
    quick = {**SCALED, "lanes": {"shared": {"heartbeat": {"intervalSeconds": 1, "timeoutSeconds": 3}}}}
    for selector, config in (("team in (a,b)", slow), ("team in (b,c)", quick)):
        space.controller("--selector", selector, config=config, canaries_in=home, lease=None)
    names = [f"shared-{number}" for number in range(4)]
    for name in names:
        space.dead(name, {"lane": "shared"}, labels={"team": "b"})
    for name in names:
        space.ends(name, "Stuck", "HeartbeatTimeout", 3 + LATE_SECONDS)
        assert len(space.verdicts(name)) == 1
    counted_as_written(space)
