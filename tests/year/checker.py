"""What a promise means, worked out anew: which snapshots must exist on a night, and what may lie in a store.

Shares nothing with the program but the manual: the rules here are those of muniment.conf(5), written down naively, on
Python's own calendar. What exists is read from names and sizes in the stores alone - a folder, and a bucket with all
its versions - so that the program is believed in nothing.
"""
import datetime
import re
import zoneinfo

DAY = 86400
AMBIGUOUS = 20  # seconds: nearer to a limit than this, a run may have been before or after it


class Policy:
    def __init__(self, daily=0, weekly=0, monthly=0, yearly=0, max_age=0, purge_within=7 * DAY, strict=False,
                 timezone="Europe/Copenhagen"):
        self.wanted = {"day": daily, "week": weekly, "month": monthly, "year": yearly}
        self.max_age, self.purge_within, self.strict = max_age, purge_within, strict
        self.timezone = timezone

    def tiers(self):
        return any(self.wanted.values())

    def configuration(self):
        names = {"day": "daily", "week": "weekly", "month": "monthly", "year": "yearly"}
        text = "".join(f"{names[kind]} = {count}; " for kind, count in self.wanted.items())
        if self.max_age:
            text += f'max_age = "{self.max_age}s"; '
        return (f'retention = {{ {text}purge_within = "{self.purge_within}s"; timezone = "{self.timezone}"; '
                f'strict = {"true" if self.strict else "false"}; }};')


def period(kind, when, timezone):
    local = datetime.datetime.fromtimestamp(when, zoneinfo.ZoneInfo(timezone))
    week = local.isocalendar()
    return {"day": (local.year, local.month, local.day), "week": (week[0], week[1]),
            "month": (local.year, local.month), "year": (local.year,)}[kind]


class Snapshot:
    """One that the life knows of: when it began, whether it was complete, which policy held at its birth."""

    def __init__(self, started, complete, policy, unique):
        self.started, self.complete, self.birth, self.unique = started, complete, policy, unique
        self.expired = None

    def deadline(self, policy):
        ages = [p.max_age for p in (self.birth, policy) if p.max_age]
        # What had no deadline at birth gets one from a policy that has; a longer one moves nothing.
        return self.started + min(ages) if ages else None

    def end(self, policy):
        deadline = self.deadline(policy)
        if deadline is None:
            return None
        life = deadline - self.started
        return deadline - min(2 * DAY, life // 4)


class Life:
    """All snapshots so far, and which of them must exist after a rotation."""

    def __init__(self):
        self.alive = []
        self.gone = []
        self.holds = []  # (from, until, placed, released or None)

    def held(self, snapshot, now):
        return any(first <= snapshot.started <= last and placed <= now and (released is None or now < released)
                   for first, last, placed, released in self.holds)

    def limit(self, snapshot, kind, policy):
        def of(one):
            return one.wanted[kind] if one.tiers() else float("inf")
        return min(of(snapshot.birth), of(policy))

    def rotate(self, policy, now):
        """Takes away what must go at `now`. Returns those about which a few seconds decide."""
        doubtful, ended = [], []
        complete = [s for s in self.alive if s.complete]
        newest = complete[-1] if complete else None
        for snapshot in self.alive:
            end = snapshot.end(policy)
            if end is not None and abs(end - now) < AMBIGUOUS:
                doubtful.append(snapshot)
            if end is not None and now >= end:
                ended.append(snapshot)

        stale = newest is None or now - newest.started > 1.5 * DAY
        kept = []
        for snapshot in self.alive:
            if self.held(snapshot, now):
                kept.append(snapshot)
            elif snapshot in ended:
                if snapshot is newest and not policy.strict:
                    kept.append(snapshot)
            elif stale or self.by_calendar(snapshot, policy, now, newest, [s for s in complete if s not in ended]):
                kept.append(snapshot)
        for snapshot in self.alive:
            if snapshot not in kept:
                snapshot.expired = now
                self.gone.append(snapshot)
        self.alive = kept
        return doubtful

    def holders(self, kind, policy, complete):
        """What a tier holds: of its newest periods the first snapshot, and a later one that was born with more."""
        periods = {}
        for snapshot in complete:
            periods.setdefault(period(kind, snapshot.started, policy.timezone), []).append(snapshot)
        held, counted = [], 0
        for which in sorted(periods, reverse=True):
            mine, most = [], 0
            for snapshot in sorted(periods[which], key=lambda s: s.started):
                limit = self.limit(snapshot, kind, policy)
                if limit > most and limit > counted:
                    mine.append(snapshot)
                most = max(most, limit)
            held += mine
            counted += bool(mine)
        return held

    def by_calendar(self, snapshot, policy, now, newest, complete):
        if not snapshot.complete:
            return newest is None or newest.started < snapshot.started
        if not policy.tiers() and not snapshot.birth.tiers():
            return True
        if any(snapshot in self.holders(kind, policy, complete) for kind in ("day", "week", "month", "year")):
            return True
        if period("day", snapshot.started, policy.timezone) >= period("day", now, policy.timezone):
            return True
        return snapshot is newest and not policy.strict


HEAD = re.compile(r"/snapshots/(\d{8}T\d{6})Z-[0-9a-f]{64}$")


def time_of_head(name):
    found = HEAD.search("/" + name)
    if not found:
        return None
    when = datetime.datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=datetime.timezone.utc)
    return int(when.timestamp())


def heads(names):
    return sorted(time for time in map(time_of_head, names) if time is not None)


def check_heads(where, names, expected, doubtful):
    """The snapshots that stand in a place are those that must, no more and no fewer."""
    found, wanted = heads(names), sorted(s.started for s in expected)
    unsure = {s.started for s in doubtful}
    extra = [t for t in found if t not in wanted and t not in unsure]
    lacking = [t for t in wanted if t not in found and t not in unsure]
    text = lambda times: ", ".join(datetime.datetime.fromtimestamp(t, datetime.timezone.utc).isoformat() for t in times)
    if extra:
        yield f"{where} holds snapshots that must be gone: {text(extra)}"
    if lacking:
        yield f"{where} lacks snapshots that must be there: {text(lacking)}"


def check_deadlines(where, names, life, policy, now):
    """No head, as whatever version, is older than its cap allows, but for a hold and the last good copy."""
    alive = {s.started: s for s in life.alive + life.gone}
    complete = [s for s in life.alive if s.complete]
    for time in heads(names):
        snapshot = alive.get(time)
        if snapshot is None:
            yield f"{where} holds a snapshot that nobody made: {time}"
            continue
        deadline = snapshot.deadline(policy)
        excused = life.held(snapshot, now) or (complete and snapshot is complete[-1] and not policy.strict)
        if deadline is not None and now > deadline and not excused:
            yield f"{where} holds a snapshot {(now - deadline) // DAY} days past its deadline"


def check_bytes(where, packs, life, policy, now, base, overhead, lag):
    """The bytes of all packs, every version counted, are those of what lives, and of what went too lately to be purged.

    Every night brings content of its own that no other night shares, of a known size that does not compress. So bytes
    that should be gone cannot hide: they are too many."""
    known = life.alive + life.gone
    least = base + sum(s.unique for s in life.alive)
    grace = policy.purge_within + lag
    lingering = [s for s in known if s.expired is not None and now - s.expired <= grace
                 and (s.deadline(policy) is None or now < s.deadline(policy) + AMBIGUOUS)]
    most = least + sum(s.unique for s in lingering) + overhead * (len(life.alive) + len(lingering) + 4)
    total = sum(packs.values())
    if total > most:
        yield f"{where} holds {total} bytes in packs, where at most {most} can be owed to {len(life.alive)} snapshots"
    if life.alive and total < least:
        yield f"{where} holds {total} bytes in packs, where {len(life.alive)} snapshots need {least}"
