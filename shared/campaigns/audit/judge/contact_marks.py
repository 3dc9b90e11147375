"""What is known of a campaign's contacts: two bytes each, however many calls they had. Pure."""

from campaigns.domain.facts import Selection

OPEN, DONE, TRIED, FAILED, LEFT_OUT, ERASED = 1, 2, 4, 8, 16, 32
_SPENT_MAX = 255

# How each contact waits: 0 not at all, 1 it was tried in some run, 2 it never was.
_WAITING = bytes(
    0 if marks & (OPEN | DONE | LEFT_OUT) else (1 if marks & TRIED else 2) for marks in range(256)
)


class ContactMarks:
    """The contacts of one campaign, by id from 1: their marks, and the attempts of this run."""

    def __init__(self, count: int = 0) -> None:
        """Begin with the contacts 1 … `count`, all waiting."""
        self.end = count
        self._replaced_through = 0  # Up to here, whoever was never tried is gone.
        self._marks, self._spent = bytearray(count + 1), bytearray(count + 1)

    def add(self, through: int) -> None:
        """Have the contacts up to this one."""
        self.end = max(self.end, through)
        if (missing := self.end + 1 - len(self._marks)) > 0:
            self._marks.extend(bytes(missing))
            self._spent.extend(bytes(missing))

    def __contains__(self, contact_id: int) -> bool:
        return 0 < contact_id <= self.end

    def marks(self, contact_id: int) -> int:
        """Return a contact's marks; 0 for one that there is not."""
        return self._marks[contact_id] if contact_id in self else 0

    def spent(self, contact_id: int) -> int:
        """Return how many attempts a contact has spent in this run."""
        return self._spent[contact_id] if contact_id in self else 0

    def mark(self, contact_id: int, more: int, less: int = 0) -> None:
        """Set some marks of a contact, and remove others."""
        if contact_id in self:
            self._marks[contact_id] = (self._marks[contact_id] & ~less) | more

    def spend(self, contact_id: int) -> None:
        """Count one more attempt."""
        if contact_id in self:
            self._spent[contact_id] = min(self._spent[contact_id] + 1, _SPENT_MAX)
            self._marks[contact_id] |= TRIED

    def gone(self, contact_id: int) -> bool:
        """Say whether a replacing import has removed a contact."""
        return contact_id <= self._replaced_through and not self.marks(contact_id) & (OPEN | TRIED)

    def replace(self, through: int) -> None:
        """Remove the contacts up to this one that were never tried; an open call is waited for."""
        self._replaced_through = max(self._replaced_through, through)

    def erase(self, through: int) -> None:
        """Mark the contacts up to this one as forgotten."""
        table = bytes(marks | ERASED for marks in range(256))
        end = min(through, self.end) + 1
        self._marks[1:end] = self._marks[1:end].translate(table)

    def rearm(self, selection: Selection, named: tuple[int, ...] = ()) -> None:
        """Begin again: the selected contacts wait, with no attempt spent; no other does."""
        keep = OPEN | TRIED | ERASED  # Whoever is forgotten stays so.
        if selection is Selection.ALL:
            table = bytes(marks & keep for marks in range(256))
        else:
            failed_only = selection is Selection.FAILED_ONLY
            table = bytes(
                marks & keep if failed_only and marks & FAILED else marks & keep | LEFT_OUT
                for marks in range(256)
            )
        self._marks = self._marks.translate(table)
        self._spent = bytearray(len(self._spent))
        for contact_id in named:
            self.mark(contact_id, 0, LEFT_OUT)

    def waiting(self) -> int | None:
        """Return the first contact that is not done, is not open and is not gone; None: nobody."""
        how = self._marks.translate(_WAITING)
        tried = how.find(1, 1, self.end + 1)
        never = how.find(2, max(1, self._replaced_through + 1), self.end + 1)
        found = [contact_id for contact_id in (tried, never) if contact_id > 0]
        return min(found, default=None)
