"""The routes of all commands."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

from command_api.http import (
    campaign_routes,
    change_routes,
    import_routes,
    key_routes,
    re_execution_routes,
    schedule_routes,
    template_routes,
)
from command_api.webhooks import webhook_routes

if TYPE_CHECKING:
    from command_api.service import CommandApi


def command_routers(service: "CommandApi") -> list[APIRouter]:
    """Return the routers of the commands."""
    return [
        campaign_routes.router(service),
        change_routes.router(service),
        re_execution_routes.router(service),
        schedule_routes.router(service),
        import_routes.router(service),
        template_routes.router(service),
        key_routes.router(service),
        webhook_routes.router(service),
    ]
