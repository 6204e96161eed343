"""Models that come as ordinary packages, so that no model hub is needed.

`prepare` converts or assembles each once into the cache; `verify` and `listing` look at what is there.
"""

from knowledge.packaged.catalogue import (
    DIALOGUE,
    ENCODER,
    ModelEntry,
    Progress,
    listing,
    prepare,
    require,
    verify,
)
from knowledge.packaged.e5 import PASSAGE_PREFIX, QUERY_PREFIX
from knowledge.packaged.gemma import FILE as DIALOGUE_FILE
from knowledge.packaged.manifest import Finding, State

__all__ = [
    "DIALOGUE",
    "DIALOGUE_FILE",
    "ENCODER",
    "PASSAGE_PREFIX",
    "QUERY_PREFIX",
    "Finding",
    "ModelEntry",
    "Progress",
    "State",
    "listing",
    "prepare",
    "require",
    "verify",
]
