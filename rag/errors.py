"""The error tree: told apart by what the caller does next.

::

    HelpdeskError
    ├── BadSetting           correct it
    ├── UnreadableDocument   skip it, report it
    ├── SourceUnavailable    keep the last good state, report it
    ├── NoIndex              build one
    ├── IndexMismatch        rebuild it
    ├── IndexLocked          wait for the other ingest
    ├── IndexReadOnly        do it on the host that builds the index
    ├── VectorsUnavailable   try again in some seconds
    ├── ModelUnavailable     retry, then a ticket
    │   └── NothingHolds     quote the sources instead
    ├── UnknownTopic         name one that is filed
    └── UnknownCitation      regenerate once, then the extractive answer

Abstaining is an `rag.models.Answer`, not an error.
"""


class HelpdeskError(Exception):
    """Anything that goes wrong here and has a cure, named in its message."""


class BadSetting(HelpdeskError):
    """A setting that is unknown or out of range."""


class UnreadableDocument(HelpdeskError):
    """A document that should have been read and could not be."""


class SourceUnavailable(HelpdeskError):
    """A source that cannot be reached or does not exist."""


class NoIndex(HelpdeskError):
    """There is no index yet."""


class IndexMismatch(HelpdeskError):
    """The index was built with another embedder or format, or is damaged."""


class IndexLocked(HelpdeskError):
    """Another ingest is writing."""


class IndexReadOnly(HelpdeskError):
    """The index can only be read from here."""


class VectorsUnavailable(HelpdeskError):
    """The server that holds the vectors does not answer."""


class ModelUnavailable(HelpdeskError):
    """A model cannot be loaded or does not reply."""


class NothingHolds(ModelUnavailable):
    """A language model is there, and wrote nothing that could be shown."""


class UnknownTopic(HelpdeskError):
    """A topic that nothing in the index is filed under."""


class UnknownCitation(HelpdeskError):
    """A marker that points at nothing the model was shown."""
