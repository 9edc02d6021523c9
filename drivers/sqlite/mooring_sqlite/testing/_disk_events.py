"""What a disk was asked, one value for each thing."""

import attrs


@attrs.frozen(kw_only=True)
class Written:
    """Bytes were written."""

    file: int
    offset: int
    data: bytes


@attrs.frozen(kw_only=True)
class Truncated:
    """A file was cut down, or made longer with zeros."""

    file: int
    size: int


@attrs.frozen(kw_only=True)
class Synced:
    """Of this file, what stands before event *begun* is safe."""

    file: int
    begun: int


@attrs.frozen(kw_only=True)
class Entered:
    """A file was made and has this name."""

    path: str
    file: int


@attrs.frozen(kw_only=True)
class Removed:
    """A name is gone."""

    path: str


@attrs.frozen(kw_only=True)
class FolderSynced:
    """Of the names in this folder, what stands before event *begun* is safe."""

    folder: str
    begun: int


@attrs.frozen(kw_only=True)
class Noted:
    """Something happened that is not the disk's business."""

    text: str


Event = Written | Truncated | Synced | Entered | Removed | FolderSynced | Noted
