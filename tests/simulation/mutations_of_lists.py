"""Mechanisms of lists of contacts, taken away one at a time: the auditor must notice."""

from typing import Any

import command_api.creator
from campaigns.stores.contacts import Contacts
from command_api.creator import _Brought
from command_api.eraser import Eraser
from command_api.open_lists import OpenLists
from tests.simulation.removal import Swaps, mutation

creator_module: Any = command_api.creator  # Any: what it uses is swapped in it.


@mutation
def a_create_does_not_look_at_its_list() -> Swaps:
    """A create counts its list, although another instance has closed it meanwhile."""

    class Same(int):
        def __ne__(self, other: object) -> bool:
            return False

    class Blind(_Brought):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, Same(value) if name == "chunks" else value)

    return [(creator_module, "_Brought", Blind)]


@mutation
def nobody_closes_stale_lists() -> Swaps:
    """A list is closed by the process that gives it up alone: not when that has died."""
    close_dead = OpenLists.close_dead

    async def own(self: OpenLists, stale_s: float) -> None:
        await close_dead(self, float("inf"))

    return [(OpenLists, "close_dead", own)]


@mutation
def a_closed_list_keeps_its_rows() -> Swaps:
    """Stores keep the rows of lists that never count."""
    return [(Contacts, "drop", lambda self, import_id: None)]


@mutation
def nobody_deletes_what_an_erasure_left() -> Swaps:
    """The key of an erased contact is deleted by the verb alone: not when that has died."""

    async def nothing(self: Eraser) -> int:
        return 0

    return [(Eraser, "forget_all", nothing)]
