"""versions of feed profiles in the columns that all versioned documents share

A version names who stored it and what it changed; those of the last release, `system:migration`. The newest version is
the greatest number: the lender's row no longer repeats it.
"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

from shared.differences import changed_fields, flat, in_words
from shared.ids import new_id

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

CALLED = ("profile", "檔案格式")
OLD = sa.table(
    "feed_profile",
    sa.column("lender_id", sa.String()),
    sa.column("version", sa.Integer()),
    sa.column("document", sa.JSON()),
    sa.column("created_at", sa.DateTime(timezone=True)),
)
NEW = sa.table(
    "feed_profile_version",
    sa.column("id", sa.Uuid()),
    sa.column("document", sa.String()),
    sa.column("number", sa.Integer()),
    sa.column("name", sa.String()),
    sa.column("digest", sa.String()),
    sa.column("content", sa.Text()),
    sa.column("differences", sa.JSON()),
    sa.column("status", sa.String()),
    sa.column("effective_from", sa.Date()),
    sa.column("uploaded_by", sa.String()),
    sa.column("uploaded_at", sa.DateTime(timezone=True)),
    sa.column("decided_by", sa.String()),
    sa.column("decided_at", sa.DateTime(timezone=True)),
    sa.column("first_used_at", sa.DateTime(timezone=True)),
    sa.column("first_placement_id", sa.Uuid()),
)
PLACEMENT = sa.table(
    "placement",
    sa.column("id", sa.Uuid()),
    sa.column("lender_id", sa.String()),
    sa.column("profile_version", sa.Integer()),
    sa.column("received_at", sa.DateTime(timezone=True)),
)
LENDER = sa.table("lender", sa.column("id", sa.String()), sa.column("profile_version", sa.Integer()))


def upgrade() -> None:
    op.create_table(
        "feed_profile_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("differences", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("uploaded_by", sa.String(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.String(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_placement_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["document"], ["lender.id"], name=op.f("fk_feed_profile_version_document_lender")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_profile_version")),
        sa.UniqueConstraint("document", "name", name=op.f("uq_feed_profile_version_document_name")),
        sa.UniqueConstraint("document", "number", name=op.f("uq_feed_profile_version_document_number")),
    )
    _copy()
    op.drop_table("feed_profile")
    op.drop_column("lender", "profile_version")


def _copy() -> None:
    connection = op.get_bind()
    before: dict[str, dict[str, object]] = {}
    for row in connection.execute(sa.select(OLD).order_by(OLD.c.lender_id, OLD.c.version)).all():
        fields = flat(row.document)
        content = json.dumps(row.document, ensure_ascii=False)
        first = connection.execute(
            sa.select(PLACEMENT.c.id, PLACEMENT.c.received_at)
            .where(PLACEMENT.c.lender_id == row.lender_id, PLACEMENT.c.profile_version == row.version)
            .order_by(PLACEMENT.c.id)
            .limit(1)
        ).first()
        new = {
            "id": new_id(),
            "document": row.lender_id,
            "number": row.version,
            "name": str(row.version),
            "digest": hashlib.sha256(content.encode()).hexdigest(),
            "content": content,
            "differences": in_words(list(changed_fields(before.get(row.lender_id, {}), fields, CALLED))),
            "status": "ACTIVATED",
            "effective_from": row.created_at.date(),
            "uploaded_by": "system:migration",
            "uploaded_at": row.created_at,
            "decided_by": "system:migration",
            "decided_at": row.created_at,
            "first_used_at": first.received_at if first else None,
            "first_placement_id": first.id if first else None,
        }
        connection.execute(NEW.insert(), [new])
        before[row.lender_id] = fields


def downgrade() -> None:
    op.add_column("lender", sa.Column("profile_version", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "feed_profile",
        sa.Column("lender_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["lender_id"], ["lender.id"], name=op.f("fk_feed_profile_lender_id_lender")),
        sa.PrimaryKeyConstraint("lender_id", "version", name=op.f("pk_feed_profile")),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(NEW).order_by(NEW.c.document, NEW.c.number)).all():
        connection.execute(
            OLD.insert(),
            [
                {
                    "lender_id": row.document,
                    "version": row.number,
                    "document": json.loads(row.content),
                    "created_at": row.uploaded_at,
                }
            ],
        )
        connection.execute(sa.update(LENDER).where(LENDER.c.id == row.document).values(profile_version=row.number))
    op.drop_table("feed_profile_version")
