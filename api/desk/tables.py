"""The tables of the desk, in words that SQLite and PostgreSQL both know.

A change here comes with a revision in `api/desk/migrations/versions`; a test
compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps no time zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Store in UTC, so that stored times compare rightly even as text."""
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read as UTC."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


ANSWERS = Table(
    "answers",
    METADATA,
    Column("answer_id", String(64), primary_key=True),
    Column("created_at", UtcTime, nullable=False, index=True),
    # Personal data masked; null: the answer is older than this column.
    Column("question", Text),
    Column("status", String(16), nullable=False),
    Column("reason", String(32)),
    Column("strength", String(16), nullable=False),
    Column("language", String(8), nullable=False),
    Column("country", String(2)),
    Column("article_id", Text),
    Column("model", Text, nullable=False),
    Column("generation", Text, nullable=False),
    Column("cited", JSON, nullable=False),
    Column("timings_ms", JSON, nullable=False),
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column(
        "answer_id",
        String(64),
        ForeignKey(ANSWERS.c.answer_id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("created_at", UtcTime, nullable=False),
    Column("helpful", Boolean, nullable=False),
    Column("comment", Text),
)

TICKETS = Table(
    "tickets",
    METADATA,
    Column("ticket_id", String(16), primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("question", Text, nullable=False),
    Column("history", JSON, nullable=False),
    # No foreign key: answers are forgotten while their ticket is kept.
    Column("answer_id", String(64)),
    Column("name", Text),
    Column("email", Text, nullable=False),
    Column("country", String(2)),
    Column("language", String(2)),
    Column("consent_at", UtcTime, nullable=False),
    Column("token_sha256", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("intent", String(32)),
    Column("priority", String(8), nullable=False),
    Column("group", Text),
    Column("assignee", Text),
    Column("tags", JSON, nullable=False),
    Column("first_reply_at", UtcTime),
    Column("updated_at", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    # Counts the changes: whoever changes a ticket says which one they saw.
    Column("version", Integer, nullable=False),
    # Why it was sorted as it was, personal data masked; null: nobody has sorted it.
    Column("triage", JSON(none_as_null=True)),
    Column("cited", JSON, nullable=False),
    # The queue is read in this order, whatever it is limited to.
    Index(None, "created_at", "ticket_id"),
    *(
        Index(None, limited_to, "created_at", "ticket_id")
        for limited_to in ("state", "country", "intent", "priority", "assignee")
    ),
)

MESSAGES = Table(
    "messages",
    METADATA,
    Column(
        "ticket_id",
        String(16),
        ForeignKey(TICKETS.c.ticket_id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    # Of staff; null: the person who asked.
    Column("author", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("text", Text, nullable=False),
)

TICKET_WORDS = Table(
    "ticket_words",
    METADATA,
    # In the order of its letters' numbers everywhere, as words are found by how they begin.
    Column("word", String(40).with_variant(String(40, "C"), "postgresql"), primary_key=True),
    Column(
        "ticket_id",
        String(16),
        ForeignKey(TICKETS.c.ticket_id, ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)

AUDIT = Table(
    "audit",
    METADATA,
    # Without gaps: one that is missing is seen.
    Column("number", Integer, primary_key=True, autoincrement=False),
    # As text: the hash is of the very letters that are stored.
    Column("at", String(32), nullable=False),
    Column("who", Text, nullable=False),
    Column("action", String(16), nullable=False),
    # No foreign key: what was done to a ticket is kept when it is erased.
    Column("ticket_id", String(16), nullable=False),
    # Names of what was changed, a space between them; never what it was changed to.
    Column("fields", Text, nullable=False),
    # Of the row, and of the hash of the row before.
    Column("sha256", String(64), nullable=False),
    Index(None, "ticket_id", "number"),
)

AUDIT_HEAD = Table(
    "audit_head",
    METADATA,
    # One row, the last of the audit; who writes waits for it.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
)

TICKET_VECTORS = Table(
    "ticket_vectors",
    METADATA,
    Column(
        "ticket_id",
        String(16),
        ForeignKey(TICKETS.c.ticket_id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("model", Text, nullable=False),
    # Of the question, personal data masked; numbers of 16 bits.
    Column("vector", LargeBinary, nullable=False),
)

STAFF = Table(
    "staff",
    METADATA,
    # What the audit, tickets and messages name; it is kept when the person leaves.
    Column("staff_id", String(16), primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("name", Text, nullable=False),
    # In small letters; whoever signs in for the first time is known by it.
    Column("email", Text, nullable=False, unique=True),
    Column("role", String(8), nullable=False),
    # Empty: all.
    Column("countries", JSON, nullable=False),
    # Who they are to the service that signs them in; null: they have not been here yet.
    Column("issuer", Text),
    Column("subject", Text),
    # From then on they do not get in.
    Column("left_at", UtcTime),
    UniqueConstraint("issuer", "subject"),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    # The token itself is in the browser's cookie only.
    Column("token_sha256", String(64), primary_key=True),
    Column(
        "staff_id",
        String(16),
        ForeignKey(STAFF.c.staff_id, ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)

SIGN_INS = Table(
    "sign_ins",
    METADATA,
    # Of a browser that was sent to sign in elsewhere, or of a link that a command printed.
    Column("token_sha256", String(64), primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    # Whom the link signs in; null: the other service will say who it is.
    Column("staff_id", String(16), ForeignKey(STAFF.c.staff_id, ondelete="CASCADE")),
    # What the answer of the other service is held against.
    Column("expected", JSON, nullable=False),
)

DRAFTS = Table(
    "drafts",
    METADATA,
    Column("draft_id", String(16), primary_key=True),
    # No foreign key: the article stays when the ticket is erased.
    Column("ticket_id", String(16)),
    Column("country", String(2)),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    # Of staff.
    Column("author", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("title", Text, nullable=False),
    # What becomes of the article, see `api.desk.drafts`.
    Column("content", JSON, nullable=False),
    # What was found wrong when it was to be published last.
    Column("findings", JSON, nullable=False),
    # Names of what is in the index; null: it never was.
    Column("article_id", Text),
    Column("generation", Text),
    Index(None, "created_at", "draft_id"),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("delivery_id", String(32), primary_key=True),
    # What is erased is not sent later.
    Column(
        "ticket_id",
        String(16),
        ForeignKey(TICKETS.c.ticket_id, ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("channel", String(8), nullable=False),
    Column("what", String(16), nullable=False),
    # What the ticket does not tell; null: it is sent.
    Column("payload", JSON(none_as_null=True)),
    # Of the mail, in angle brackets: answers name it, long after it is sent.
    Column("message_id", String(255), index=True),
    # What the receiver calls what was made there.
    Column("reference", Text),
    Column("created_at", UtcTime, nullable=False),
    # Since when it is tried, by itself or as somebody wanted it.
    Column("since", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("state", String(8), nullable=False),
    # Its kind only, never its words.
    Column("last_error", String(64)),
    # Until then somebody is at it.
    Column("claimed_until", UtcTime),
    Column("done_at", UtcTime),
    # What is due is looked for every few seconds.
    Index(None, "state", "channel", "due_at"),
)

GAPS = Table(
    "gaps",
    METADATA,
    # Of questions that ask for the same; it stays while they come and go.
    Column("gap_id", String(16), primary_key=True),
    Column("first_seen_at", UtcTime, nullable=False),
    # From then on an index answers them; null: none does.
    Column("closed_at", UtcTime),
    # The generation that they were put to last; null: to none; empty: it was closed before.
    Column("asked_in", Text),
    # Names of the sections that sure answers to them cited at first, and which had not helped.
    Column("cited", JSON, nullable=False),
    # Where the answer should stand; null: no page is near.
    Column("place", JSON(none_as_null=True)),
    # What the answer that closed it cites first.
    Column("closed_by", JSON(none_as_null=True)),
)

UNANSWERED = Table(
    "unanswered",
    METADATA,
    # That of the answer or the ticket; it goes with them.
    Column("question_id", String(64), primary_key=True),
    Column(
        "answer_id",
        String(64),
        ForeignKey(ANSWERS.c.answer_id, ondelete="CASCADE"),
        index=True,
    ),
    Column(
        "ticket_id",
        String(16),
        ForeignKey(TICKETS.c.ticket_id, ondelete="CASCADE"),
        index=True,
    ),
    # Null: it has not been compared with the others yet.
    Column("gap_id", String(16), ForeignKey(GAPS.c.gap_id, ondelete="SET NULL"), index=True),
    Column("language", String(8), nullable=False),
    # That it names.
    Column("countries", JSON, nullable=False),
    Column("model", Text, nullable=False),
    # Of the question, personal data masked; numbers of 16 bits.
    Column("vector", LargeBinary, nullable=False),
)

MAILS = Table(
    "mails",
    METADATA,
    # Of what tells it from others; whoever stores it takes the mail, and nobody else does.
    Column("mail_sha256", String(64), primary_key=True),
    Column("taken_at", UtcTime, nullable=False),
    Column("became", String(16), nullable=False),
    # Of its Message-ID: answers to it belong to its ticket. Null: it has none.
    Column("message_sha256", String(64), index=True),
    # Null: it became nothing.
    Column(
        "ticket_id",
        String(16),
        ForeignKey(TICKETS.c.ticket_id, ondelete="CASCADE"),
        index=True,
    ),
)

CALLS = Table(
    "calls",
    METADATA,
    # What is counted, a word; see `api.desk.calls`.
    Column("what", String(8), primary_key=True),
    # Of the client's address, by the key of the day; empty: all clients together.
    Column("client_hmac", String(64), primary_key=True),
    # Beginning of the time that is counted, in seconds since 1970.
    Column("since", BigInteger, primary_key=True, autoincrement=False),
    # From then on it counts no more, and is deleted.
    Column("until", BigInteger, nullable=False, index=True),
    Column("count", Integer, nullable=False),
)

CALL_KEYS = Table(
    "call_keys",
    METADATA,
    # In UTC.
    Column("day", String(10), primary_key=True),
    # Without it nobody can tell whose a row of that day was; it is deleted with them.
    Column("key", LargeBinary, nullable=False),
)

LEASES = Table(
    "leases",
    METADATA,
    # What one process of all does.
    Column("name", String(32), primary_key=True),
    Column("holder", String(64), nullable=False),
    # By the clock of the database, in seconds since 1970.
    Column("until", Double, nullable=False),
)

PASSING = frozenset({CALLS.name, CALL_KEYS.name, LEASES.name})
"""Tables that say what is now: they are in no backup."""
