"""What a stream must do besides yielding its rows: see the group on snapshots."""

from itertools import islice

from mooring.testing.contract._fixture_types import OpenStore

ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
)


class StreamsContract:
    """A stream gives its first rows while there are more to come."""

    def test_an_endless_stream_gives_its_first_rows_within_the_deadline(
        self, open_store: OpenStore
    ) -> None:
        """A stream that is a list first would come to its deadline instead."""
        store = open_store(statement_timeout=0.3)

        with store.read() as snapshot:
            rows = [row["i"] for row in islice(snapshot.stream(ENDLESS, size=10), 25)]

        assert rows == list(range(1, 26))
