"""What may be left after a power cut, from what a disk was asked."""

from random import Random

import pytest
from mooring_sqlite.testing import Recording, Remains
from mooring_sqlite.testing._disk_events import (
    Entered,
    Event,
    FolderSynced,
    Noted,
    Removed,
    Synced,
    Truncated,
    Written,
)

PATH = "/folder/app.db"
OLD, NEW = b"o" * 1024, b"n" * 1024


def seeded() -> Random:
    return Random(1)  # noqa: S311 - to be repeated, not to be secret


def at_the_end(*events: Event, before: bytes | None = OLD) -> list[Remains]:
    """Cut the power after the last event, so often that all happens that may."""
    files = {} if before is None else {PATH: before}
    # What is noted at the end is where half of the cuts are.
    recording = Recording(before=files, events=(*events, Noted(text="end")))
    return [cut for cut in recording.power_cuts(400, seeded()) if cut.noted]


def contents(*events: Event, before: bytes | None = OLD) -> set[bytes | None]:
    return {cut.files.get(PATH) for cut in at_the_end(*events, before=before)}


def write(data: bytes, offset: int = 0) -> Written:
    return Written(file=0, offset=offset, data=data)


def test_what_was_synced_is_there() -> None:
    assert contents(write(NEW), Synced(file=0, begun=1)) == {NEW}


def test_what_was_not_is_there_or_not_or_some_of_its_sectors() -> None:
    halves = {NEW[:512] + OLD[512:], OLD[:512] + NEW[512:]}

    assert contents(write(NEW)) == {OLD, NEW, *halves}


def test_a_sync_does_not_answer_for_what_was_written_while_it_ran() -> None:
    assert {OLD, NEW} < contents(write(NEW), Synced(file=0, begun=0))


def test_a_later_write_may_arrive_without_an_earlier_one() -> None:
    first, second = write(NEW[:512]), write(NEW[:512], 512)

    assert OLD[:512] + NEW[:512] in contents(first, second)


def test_what_lies_beside_a_write_keeps_its_value() -> None:
    for content in contents(write(b"x" * 600, 100)):
        assert content is not None
        assert (content[:100], content[700:]) == (OLD[:100], OLD[700:])


def test_a_file_that_grew_may_have_anything_there() -> None:
    found = contents(write(NEW, 1024))
    longer = {content[1024:] for content in found if content} - {b"", NEW}

    assert {content[:1024] for content in found if content} == {OLD}
    assert any(set(tail) - {0, ord("n")} for tail in longer)


def test_a_truncation_that_was_not_synced_may_not_have_been() -> None:
    assert contents(Truncated(file=0, size=0)) == {OLD, b""}
    assert contents(Truncated(file=0, size=0), Synced(file=0, begun=1)) == {b""}


@pytest.mark.parametrize("folder", ["/folder", "/another"])
def test_a_new_name_is_there_for_sure_when_its_folder_was_synced(folder: str) -> None:
    events = (
        Entered(path=PATH, file=0),
        write(NEW),
        Synced(file=0, begun=2),
        FolderSynced(folder=folder, begun=3),
    )
    surely = {NEW}

    assert contents(*events, before=None) == (
        surely if folder == "/folder" else {None, NEW}
    )


def test_a_file_whose_removal_was_not_synced_may_be_back() -> None:
    gone, made = Removed(path=PATH), Entered(path=PATH, file=1)

    assert contents(gone) == {None, OLD}
    assert contents(gone, FolderSynced(folder="/folder", begun=1)) == {None}
    assert contents(gone, made) == {None, OLD, b""}


def test_half_of_the_cuts_are_right_after_a_note() -> None:
    events: list[Event] = [write(NEW)] * 100
    events += [Noted(text="a"), write(NEW)]
    recording = Recording(before={PATH: OLD}, events=tuple(events))
    cuts = list(recording.power_cuts(50, seeded()))

    assert len(cuts) == 50
    assert sum(cut.noted == ("a",) for cut in cuts) >= 25
