"""Who of a group shares its work: the members that have the group's carrier.

Dialers whose carriers know nothing of one another cannot recover one another's calls. So each
member says its carrier when it joins, and whoever leads the group gives partitions only to those
who have the carrier of the members that work already; the others are told which that is.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.sticky.sticky_assignor import (
    StickyAssignorUserDataV1,
    StickyPartitionAssignor,
)
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.protocol.types import String

_CARRIER = String("utf-8")  # Behind the assignor's own user data, where older builds do not look.


class Sharing(StickyPartitionAssignor):  # type: ignore[misc]  # aiokafka is untyped.
    """The sticky assignor of one member, which minds carriers. One for each member.

    The client takes an object as well as a class; the class's own state would be all members'.
    """

    def __init__(self, carrier: Callable[[], str | None]) -> None:
        """`carrier` says whose carrier it is now; None: not known."""
        self._carrier = carrier
        self.said: str | None = None  # Our carrier, as we have last said it.
        self.refused_for: str | None = None  # The group's carrier, if we may not share the work.

    @property
    def stale(self) -> bool:
        """Say whether our carrier is another one than we have said."""
        return (now := self._carrier()) is not None and now != self.said

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Return what we say when we join: what we have, and our carrier."""
        self.said = self._carrier() or self.said
        found = self._metadata(topics, self.member_assignment or [], self.generation)
        found.user_data += _CARRIER.encode(self.said)
        return found

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Share the partitions among the members that have the group's carrier."""
        said = {name: _said(member.user_data) for name, member in members.items()}
        ours = _of_the_group(said.values())
        sharing = {n: m for n, m in members.items() if said[n][0] in (None, ours)}
        assigned: dict[str, ConsumerProtocolMemberAssignment] = super().assign(cluster, sharing)
        refused = ConsumerProtocolMemberAssignment(self.version, [], (ours or "").encode())
        return {name: assigned.get(name, refused) for name in members}

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Take note of what we have now, or of why we have nothing."""
        self.member_assignment = assignment.partitions()
        self.refused_for = (assignment.user_data or b"").decode() or None


def _said(user_data: bytes | None) -> tuple[str | None, int]:
    """Return a member's carrier, None if it says none, as older builds; and how much it works."""
    data = BytesIO(user_data or b"")
    carrier, partitions = None, 0
    try:
        working = StickyAssignorUserDataV1.decode(data)
        partitions = sum(len(numbers) for _, numbers in working.previous_assignment)
        carrier = _CARRIER.decode(data)
    except (ValueError, struct.error):
        pass  # It has joined for the first time, or is of an older build.
    return carrier, partitions


def _of_the_group(said: Iterable[tuple[str | None, int]]) -> str | None:
    """Return the carrier that works most of the partitions; of several, one that all agree on."""
    work: Counter[str] = Counter()
    for carrier, partitions in said:
        if carrier is not None:
            work[carrier] += partitions
    return min(work, key=lambda carrier: (-work[carrier], carrier), default=None)
