"""How large requests may be. Settings read it, so no web framework is imported here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a request may be."""

    body_max_bytes: int
    upload_max_bytes: int  # For paths that end in UPLOAD.
    head_max_bytes: int = 64 * 1024  # Its line and headers.
    bodies_max_bytes: int = 64 * 2**20  # All bodies that a process holds, except uploads.

    @property
    def bodies_of_organization_max_bytes(self) -> int:
        """Return one organization's part of it: half, but at least one whole body."""
        return max(self.bodies_max_bytes // 2, self.body_max_bytes)
