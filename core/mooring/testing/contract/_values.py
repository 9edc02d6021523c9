"""Any value that is taken is kept: written, found again, read into a class."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mooring import core

# One test runs on the stores of several classes, whose examples are alike.
_SUPPRESSED = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.differing_executors,
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
WHOLES = st.integers(-(2**63), 2**63 - 1)
RATIOS = st.floats(allow_nan=False)
# The ends of the calendar do not exist in every zone: test_parameters has them.
MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: timezone(timedelta(minutes=minutes))
    ),
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | RATIOS.filter(math.isfinite) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
    ),
    max_leaves=10,
)


@attrs.frozen(kw_only=True)
class Sample:
    """One field of each portable type."""

    id: str
    text: str | None = None
    whole: int | None = None
    ratio: float | None = None
    flag: bool | None = None
    data: bytes | None = None
    moment: datetime | None = None
    document: dict[str, Any] | None = None


SAMPLES = st.builds(
    Sample,
    id=st.just("s"),
    text=st.none() | TEXTS,
    whole=st.none() | WHOLES,
    ratio=st.none() | RATIOS,
    flag=st.none() | st.booleans(),
    data=st.none() | st.binary(),
    moment=st.none() | MOMENTS,
    document=st.none() | st.dictionaries(TEXTS, DOCUMENTS, max_size=4),
)
LEAST = Sample(
    id="s",
    text="",
    whole=-(2**63),
    ratio=-math.inf,
    flag=False,
    data=b"",
    moment=datetime.min.replace(tzinfo=UTC),
    document={},
)
MOST = Sample(
    id="s",
    text="\U0010ffff\ufffe\u200d\x7f\x01",
    whole=2**63 - 1,
    ratio=math.inf,
    flag=True,
    data=bytes(range(256)) * 100,
    moment=datetime.max.replace(tzinfo=UTC),
    document={"": [[[{"\\u0000": "\\"}]]], "big": 10**30, "small": 5e-324},
)


def parameters(sample: Sample) -> dict[str, object]:
    values: dict[str, object] = attrs.asdict(sample, recurse=False)
    if sample.document is not None:
        values["document"] = core.Json(sample.document)
    return values


def replace(store: core.SqlStore, sample: Sample) -> Sample:
    values = parameters(sample)
    marks = ", ".join(f":{name}" for name in values)
    with store.transaction() as tx:
        tx.execute("DELETE FROM samples")
        tx.execute(
            f"INSERT INTO samples ({', '.join(values)}) VALUES ({marks})", values
        )
    return store.execute("SELECT * FROM samples").one(Sample)


class ValuesContract:
    """Any value that is taken is kept: written, found again, read into a class."""

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=_SUPPRESSED,
    )
    @given(sample=SAMPLES)
    @example(sample=Sample(id="s"))
    @example(sample=LEAST)
    @example(sample=MOST)
    @example(sample=attrs.evolve(LEAST, ratio=5e-324, text=" \t\n"))
    @example(sample=attrs.evolve(MOST, ratio=1.7976931348623157e308, text="1e3"))
    def test_a_row_that_is_read_is_the_row_that_was_written(
        self, samples: core.SqlStore, sample: Sample
    ) -> None:
        read = replace(samples, sample)

        assert read == sample
        # And back again: what was read may be written.
        assert replace(samples, read) == sample

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=_SUPPRESSED,
    )
    @given(sample=SAMPLES)
    @example(sample=LEAST)
    @example(sample=MOST)
    def test_a_row_is_found_by_the_values_it_was_written_with(
        self, samples: core.SqlStore, sample: Sample
    ) -> None:
        replace(samples, sample)

        for name in ("text", "whole", "ratio", "flag", "data", "moment"):
            value = getattr(sample, name)
            if value is not None:
                found = samples.execute(
                    f"SELECT count(*) FROM samples WHERE {name} = :v", {"v": value}
                )
                assert (name, found.scalar()) == (name, 1)

    @pytest.mark.parametrize("size", [1, 10_000, 3_000_000])
    def test_large_values_come_back_whole(
        self, samples: core.SqlStore, size: int
    ) -> None:
        sample = Sample(
            id="s", text="ü" * size, data=b"\xff" * size, document={"a": "ü" * size}
        )

        assert replace(samples, sample) == sample
