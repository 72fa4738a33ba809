"""requests for a second person; each version of a pack that waits for an officer is one"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.ids import new_id
from shared.migration_steps import APPROVALS, create_approvals
from shared.versions.domain import begins_at

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

VERSIONS = sa.table(
    "rule_pack_version",
    sa.column("id", sa.Uuid()),
    sa.column("document", sa.String()),
    sa.column("name", sa.String()),
    sa.column("digest", sa.String()),
    sa.column("status", sa.String()),
    sa.column("effective_from", sa.Date()),
    sa.column("uploaded_by", sa.String()),
    sa.column("uploaded_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    approval = create_approvals()
    waiting = op.get_bind().execute(sa.select(VERSIONS).where(VERSIONS.c.status == "PROPOSED")).all()
    if waiting:
        op.bulk_insert(approval, [_request(row) for row in waiting])


def _request(row: Any) -> dict[str, object]:
    """What the upload would ask today. No event has told of it: its version is 0."""
    return {
        "id": new_id(),
        "action": "ACTIVATE_RULE_PACK",
        "subject_id": row.id,
        "command": {},
        "seen": {
            "status": row.status,
            "pack": row.document,
            "pack_version": row.name,
            "pack_digest": row.digest,
            "effective_from": row.effective_from.isoformat(),
        },
        "status": "OPEN",
        "asked_by": row.uploaded_by,
        "asked_at": row.uploaded_at,
        "expires_at": begins_at(row.effective_from),
        "version": 0,
    }


def downgrade() -> None:
    APPROVALS.downgrade()
