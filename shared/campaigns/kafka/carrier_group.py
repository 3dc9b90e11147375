"""Assigns a group's partitions to the members that use the group's carrier.

Dialers with unrelated carriers cannot recover one another's calls. So each member names its
carrier when it joins, and the group's leader assigns partitions only to members with the carrier
of those that work already; the other members are told which carrier that is.
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

_CARRIER = String("utf-8")  # After the assignor's own user data, which older builds ignore.


class Sharing(StickyPartitionAssignor):  # type: ignore[misc]  # aiokafka is untyped.
    """The sticky assignor of one member, aware of carriers. One instance per member.

    The client takes an object as well as a class; the class's own state would be all members'.
    """

    def __init__(self, carrier: Callable[[], str | None]) -> None:
        """`carrier` returns our current carrier; None: not known."""
        self._carrier = carrier
        self.said: str | None = None  # Our carrier, as we last named it to the group.
        self.refused_for: str | None = None  # The group's carrier, if ours is another one.

    @property
    def stale(self) -> bool:
        """Say whether our carrier differs from the one that we named."""
        return (now := self._carrier()) is not None and now != self.said

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Return our metadata for joining: our partitions and our carrier."""
        self.said = self._carrier() or self.said
        found = self._metadata(topics, self.member_assignment or [], self.generation)
        found.user_data += _CARRIER.encode(self.said)
        return found

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Assign the partitions to the members that use the group's carrier."""
        said = {name: _said(member.user_data) for name, member in members.items()}
        ours = _of_the_group(said.values())
        sharing = {n: m for n, m in members.items() if said[n][0] in (None, ours)}
        assigned: dict[str, ConsumerProtocolMemberAssignment] = super().assign(cluster, sharing)
        refused = ConsumerProtocolMemberAssignment(self.version, [], (ours or "").encode())
        return {name: assigned.get(name, refused) for name in members}

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Note our partitions, or the reason for having none."""
        self.member_assignment = assignment.partitions()
        self.refused_for = (assignment.user_data or b"").decode() or None


def _said(user_data: bytes | None) -> tuple[str | None, int]:
    """Return a member's carrier, None if it names none (older builds); and its partitions."""
    data = BytesIO(user_data or b"")
    carrier, partitions = None, 0
    try:
        working = StickyAssignorUserDataV1.decode(data)
        partitions = sum(len(numbers) for _, numbers in working.previous_assignment)
        carrier = _CARRIER.decode(data)
    except (ValueError, struct.error):
        pass  # It joins for the first time, or is an older build.
    return carrier, partitions


def _of_the_group(said: Iterable[tuple[str | None, int]]) -> str | None:
    """Return the carrier with the most partitions; a tie is broken the same way everywhere."""
    work: Counter[str] = Counter()
    for carrier, partitions in said:
        if carrier is not None:
            work[carrier] += partitions
    return min(work, key=lambda carrier: (-work[carrier], carrier), default=None)
