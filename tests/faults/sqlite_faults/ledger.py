"""What became of each transaction, as its caller was told."""

import attrs


@attrs.define(kw_only=True)
class Ledger:
    """The names of transactions, by their answer.

    Attributes:
        acknowledged: Committed, it was said.
        refused: Not committed, it was said: the error, by name.
        unknown: Committed or not, it was said.
        unexpected: What was raised that is no error of ours, or says too little.
    """

    acknowledged: list[str] = attrs.field(factory=list)
    refused: dict[str, str] = attrs.field(factory=dict)
    unknown: list[str] = attrs.field(factory=list)
    unexpected: list[str] = attrs.field(factory=list)
