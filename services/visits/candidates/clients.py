"""Asks the service cases where debtors live and who they are, for a person: each reading is recorded there.
Never called inside a transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx

from services.visits.settings import VisitsSettings
from shared.errors import Unavailable

BATCH_MAX = 200


class CasesClient:
    """`token` is a service's, on behalf of the person who asked for the plan."""

    def __init__(self, settings: VisitsSettings, token: str) -> None:
        self._settings = settings
        self._headers = {"Authorization": f"Bearer {token}"}

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._settings.cases_url, timeout=self._settings.cases_timeout_seconds, headers=self._headers
        )

    async def positions(self, case_ids: Sequence[UUID]) -> dict[UUID, tuple[float, float]]:
        """Positions (degrees) of the cases that have one. Raises Unavailable while cases does not answer."""
        found: dict[UUID, tuple[float, float]] = {}
        try:
            async with self._client() as client:
                for start in range(0, len(case_ids), BATCH_MAX):
                    batch = [str(case_id) for case_id in case_ids[start : start + BATCH_MAX]]
                    body = {"case_ids": batch, "reason": "PLANNING"}
                    answer = await client.post("/cases/v1/locations", json=body)
                    for item in answer.raise_for_status().json()["items"]:
                        found[UUID(item["case_id"])] = (item["latitude"], item["longitude"])
        except httpx.HTTPError as error:
            raise Unavailable("cases-unreachable", "The service cases does not answer; the plan waits.") from error
        return found

    async def dossiers(self, case_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
        """What cases gives out of each case; one that is gone is left out. Raises Unavailable."""
        found: dict[UUID, dict[str, Any]] = {}
        try:
            async with self._client() as client:
                for case_id in case_ids:
                    answer = await client.get(f"/cases/v1/cases/{case_id}/dossier", params={"reason": "VISIT"})
                    if answer.status_code != httpx.codes.NOT_FOUND:
                        found[case_id] = answer.raise_for_status().json()
        except httpx.HTTPError as error:
            raise Unavailable("cases-unreachable", "The service cases does not answer. Try again shortly.") from error
        return found
