"""Both scans on site-packages folders as users really have them, and worse."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring.core import _discovery
from mooring.core._discovery import EntryPoint, scan, scan_metadata

GROUP = "probe.drivers"
Check = Callable[..., None]


def install(
    folder: Path, child: str, offers: str | bytes | None = None, metadata: str = ""
) -> Path:
    """Put one distribution's metadata folder into a site-packages folder."""
    info = folder / child
    info.mkdir(parents=True)
    if metadata:
        file = "PKG-INFO" if child.endswith("egg-info") else "METADATA"
        (info / file).write_text(f"Metadata-Version: 2.1\n{metadata}\n\nName: body\n")
    if offers is not None:
        content = offers if isinstance(offers, bytes) else offers.encode()
        (info / "entry_points.txt").write_bytes(content)
    return info


def offer(*lines: str, group: str = GROUP) -> str:
    return "\n".join([f"[{group}]", *lines, ""])


def plain(value: str) -> str:
    return re.sub(r"\s*:\s*", ":", value.partition("[")[0]).strip()


def raw(path: Sequence[str]) -> list[tuple[str, str]] | None:
    """Ask importlib.metadata itself; None where it raises."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*path, *sys.path])
        try:
            found = importlib.metadata.entry_points(group=GROUP)
        except Exception:  # noqa: BLE001 - it raises whatever the metadata broke
            return None
    once = dict.fromkeys((ep.name, plain(ep.value), id(ep.dist)) for ep in found)
    return [(name, value) for name, value, _ in once]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    """Compare both scans with what is expected, and with importlib.metadata."""
    fallbacks: list[str] = []

    def spy(group: str, path: Sequence[str] | None = None) -> list[EntryPoint]:
        fallbacks.append(group)
        return scan_metadata(group, path)

    monkeypatch.setattr(_discovery, "scan_metadata", spy)

    def compare(
        path: Sequence[Any],
        *expected: tuple[str, ...],
        fast: bool = True,
        raises: bool = False,
    ) -> None:
        entries = [os.fspath(entry) for entry in path]
        found = scan(GROUP, entries)
        assert found == scan_metadata(GROUP, entries)
        assert sorted(found) == sorted(expected)
        assert (not fallbacks) is fast
        reference = raw(entries)
        if raises:
            assert reference is None
        else:
            assert [entry[:2] for entry in found] == reference

    return compare


def test_ordinary(tmp_path: Path, check: Check) -> None:
    install(tmp_path, "alpha-1.0.dist-info", offer("a = alpha", "aa = alpha:plugin"))
    install(tmp_path, "other-3.dist-info", offer("cmd = other", group="scripts"))
    install(tmp_path, "silent-3.dist-info")
    check(
        [tmp_path],
        ("a", "alpha", "alpha", "1.0"),
        ("aa", "alpha:plugin", "alpha", "1.0"),
    )


def test_order_is_of_the_path_then_of_the_file(tmp_path: Path) -> None:
    install(tmp_path / "1", "zeta-1.dist-info", offer("z = zeta", "b = zeta"))
    install(tmp_path / "2", "alpha-1.dist-info", offer("a = alpha"))
    path = [str(tmp_path / "1"), str(tmp_path / "2")]
    assert [entry.name for entry in scan(GROUP, path)] == ["z", "b", "a"]


def test_an_earlier_copy_shadows_a_later_one(tmp_path: Path, check: Check) -> None:
    install(tmp_path / "new", "alpha-2.0.dist-info", offer("a = alpha"))
    install(tmp_path / "old", "alpha-1.0.dist-info", offer("a = stale", "b = stale"))
    check([tmp_path / "new", tmp_path / "old"], ("a", "alpha", "alpha", "2.0"))


def test_a_copy_without_entry_points_shadows_too(tmp_path: Path, check: Check) -> None:
    install(tmp_path / "new", "alpha-2.0.dist-info")
    install(tmp_path / "old", "alpha-1.0.dist-info", offer("a = stale"))
    check([tmp_path / "new", tmp_path / "old"])


@pytest.mark.parametrize("later", ["foo_bar", "FOO.BAR", "foo._.bar", "foo__bar"])
def test_spellings_of_one_name(tmp_path: Path, check: Check, later: str) -> None:
    install(tmp_path / "1", "Foo.Bar-2.dist-info", offer("a = foo"))
    install(tmp_path / "2", f"{later}-1.dist-info", offer("a = foo"))
    check([tmp_path / "1", tmp_path / "2"], ("a", "foo", "Foo.Bar", "2"))


def test_two_distributions_with_one_entry_point(tmp_path: Path, check: Check) -> None:
    install(tmp_path, "alpha-1.dist-info", offer("a = alpha"))
    install(tmp_path, "beta-2.dist-info", offer("a = beta"))
    check([tmp_path], ("a", "alpha", "alpha", "1"), ("a", "beta", "beta", "2"))


@pytest.mark.parametrize(
    "text",
    [
        offer("# a = no", "", "a = alpha", "  # b = no", "   "),
        offer("a = alpha").replace("\n", "\r\n"),
        offer("a = alpha").replace("\n", "\r"),
        offer("a=alpha"),
        offer("\t a \t=\t alpha  "),
        offer("a = alpha [extra, more]"),
        offer("a = alpha[extra]"),
        f"  [{GROUP}]  \na = alpha",
        f"[[{GROUP}]]\na = alpha",
        offer("a = x", group="before") + offer("a = alpha") + offer("a = y", group="z"),
        offer("a = x", group=GROUP + ".more") + offer("a = alpha"),
        offer("a = x", group=f" {GROUP} ") + offer("a = alpha"),
        offer() + offer("b = x", group="between") + offer("a = alpha"),
        offer("a = alpha") + offer("a = alpha"),
        f"z = {GROUP}\n" + offer("a = alpha"),
    ],
)
def test_spellings_of_one_file(tmp_path: Path, check: Check, text: str) -> None:
    install(tmp_path, "alpha-1.dist-info", text)
    check([tmp_path], ("a", "alpha", "alpha", "1"))


def test_spaces_around_the_colon(tmp_path: Path, check: Check) -> None:
    install(tmp_path, "alpha-1.dist-info", offer("a = alpha : plugin [extra]"))
    check([tmp_path], ("a", "alpha:plugin", "alpha", "1"))


def test_a_group_given_twice_is_one(tmp_path: Path, check: Check) -> None:
    other = offer("x = y", group="between")
    text = offer("a = alpha") + other + offer("a = alpha", "b = alpha")
    install(tmp_path, "alpha-1.dist-info", text)
    check([tmp_path], ("a", "alpha", "alpha", "1"), ("b", "alpha", "alpha", "1"))


@pytest.mark.parametrize("text", ["", "\n \n", "[", "[]", offer(), f"\ufeff{offer()}"])
def test_files_that_offer_nothing(tmp_path: Path, check: Check, text: str) -> None:
    install(tmp_path, "alpha-1.dist-info", text)
    check([tmp_path])


def test_a_line_that_assigns_nothing(tmp_path: Path, check: Check) -> None:
    install(tmp_path, "alpha-1.dist-info", offer("garbage", "a = alpha"))
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    check(
        [tmp_path],
        ("a", "alpha", "alpha", "1"),
        ("b", "beta", "beta", "1"),
        raises=True,
    )


@pytest.mark.parametrize(
    ("content", "fast"),
    [
        (offer("a = x").encode() + b"# caf\xe9", False),
        (b"# caf\xe9\n[other]\na = b\n", True),
        (offer("a = x").encode("utf-16"), True),
        (b"\x00\xff" * 100, True),
    ],
)
def test_a_file_that_is_not_utf_8(
    tmp_path: Path, check: Check, content: bytes, *, fast: bool
) -> None:
    install(tmp_path, "alpha-1.dist-info", content)
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    check([tmp_path], ("b", "beta", "beta", "1"), fast=fast, raises=True)


def test_a_folder_in_place_of_the_file(tmp_path: Path, check: Check) -> None:
    (install(tmp_path, "alpha-1.dist-info") / "entry_points.txt").mkdir()
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    check([tmp_path], ("b", "beta", "beta", "1"))


def test_a_file_in_place_of_the_folder(tmp_path: Path, check: Check) -> None:
    (tmp_path / "alpha-1.dist-info").write_text(offer("a = alpha"))
    check([tmp_path])


def test_an_unreadable_file(tmp_path: Path, check: Check) -> None:
    # A link to itself: unlike a mode, root cannot read it either.
    info = install(tmp_path, "alpha-1.dist-info")
    (info / "entry_points.txt").symlink_to("entry_points.txt")
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    check([tmp_path], ("b", "beta", "beta", "1"), fast=False, raises=True)


def test_an_unreadable_folder(tmp_path: Path, check: Check) -> None:
    (tmp_path / "loop").symlink_to("loop")
    install(tmp_path / "site", "beta-1.dist-info", offer("b = beta"))
    path = [tmp_path / "loop", tmp_path / "site"]
    check(path, ("b", "beta", "beta", "1"), fast=False)


@pytest.mark.parametrize(
    ("child", "metadata", "name", "version"),
    [
        ("foo-bar-1.dist-info", "Name: foo-bar\nVersion: 1", "foo-bar", "1"),
        ("foo-bar-1.dist-info", "", "foo", ""),
        ("foo.dist-info", "Name: Foo\nVersion: 3", "Foo", "3"),
        ("foo-.dist-info", "", "foo", ""),
        (".dist-info", "Name: foo\nVersion: 1", "foo", "1"),
        ("foo-1.DIST-INFO", "Name: foo\nVersion: 1", "foo", "1"),
    ],
)
def test_an_unusual_folder_name(
    tmp_path: Path, check: Check, child: str, metadata: str, name: str, version: str
) -> None:
    install(tmp_path, child, offer("a = foo"), metadata)
    check([tmp_path], ("a", "foo", name, version), fast=False)


def test_a_distribution_without_any_name(tmp_path: Path, check: Check) -> None:
    install(tmp_path, ".dist-info", offer("a = x"))
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    check([tmp_path], ("b", "beta", "beta", "1"), fast=False, raises=True)


def test_metadata_that_cannot_be_decoded(tmp_path: Path) -> None:
    info = install(tmp_path, "foo.dist-info", offer("a = foo"))
    (info / "METADATA").write_bytes(b"Name: caf\xe9\n\n")
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    assert scan(GROUP, [str(tmp_path)]) == [("b", "beta", "beta", "1")]


@pytest.mark.parametrize("child", ["~lpha-1.dist-info", "-lpha-1.dist-info"])
def test_what_a_failed_uninstall_leaves(tmp_path: Path, child: str) -> None:
    # The one place where raw importlib.metadata knows less (pypa/pip#10452).
    install(tmp_path, child, offer("a = alpha"), "Name: alpha\nVersion: 1")
    install(tmp_path, "alpha-2.dist-info", offer("a = alpha"))
    path = [str(tmp_path)]
    expected = [("a", "alpha", "alpha", "2")]
    assert scan(GROUP, path) == scan_metadata(GROUP, path) == expected


def test_egg_info_with_the_group(tmp_path: Path, check: Check) -> None:
    metadata = "Name: al-pha\nVersion: 1.0"
    install(tmp_path, "al_pha.egg-info", offer("a = alpha"), metadata)
    check([tmp_path], ("a", "alpha", "al-pha", "1.0"), fast=False)


def test_egg_info_without_the_group(tmp_path: Path, check: Check) -> None:
    install(tmp_path, "old-1-py3.11.egg-info", offer("x = y", group="scripts"))
    install(tmp_path, "older.egg-info")
    (tmp_path / "oldest-1.egg-info").write_text("Name: oldest\n")
    (tmp_path / "linked.egg-link").write_text("/nowhere\n.")
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    check([tmp_path], ("b", "beta", "beta", "1"))


def test_egg_info_shadows(tmp_path: Path, check: Check) -> None:
    install(tmp_path / "1", "Al.pha.egg-info")
    install(tmp_path / "2", "al_pha-1.dist-info", offer("a = alpha"))
    check([tmp_path / "1", tmp_path / "2"])


def test_an_egg_folder(tmp_path: Path, check: Check) -> None:
    egg = tmp_path / "alpha-1-py3.11.egg"
    install(egg, "EGG-INFO", offer("a = alpha"))
    (egg / "EGG-INFO" / "PKG-INFO").write_text("Name: alpha\nVersion: 1\n")
    check([tmp_path])
    check([egg], ("a", "alpha", "alpha", "1"), fast=False)


def test_a_zip(tmp_path: Path, check: Check) -> None:
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        archive.writestr("alpha-1.dist-info/entry_points.txt", offer("a = alpha"))
        archive.writestr("alpha-1.dist-info/METADATA", "Name: alpha\nVersion: 1\n")
    install(tmp_path / "site", "beta-1.dist-info", offer("b = beta"))
    path = [tmp_path / "app.pyz", tmp_path / "site"]
    expected = ("a", "alpha", "alpha", "1"), ("b", "beta", "beta", "1")
    check(path, *expected, fast=False)


def test_a_file_on_the_path(tmp_path: Path, check: Check) -> None:
    (tmp_path / "file").write_text("no archive")
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    check([tmp_path / "file", tmp_path], ("b", "beta", "beta", "1"), fast=False)


def test_missing_entries(tmp_path: Path, check: Check) -> None:
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    hook = "__editable__.alpha-1.finder.__path_hook__"
    path = [tmp_path / "missing", tmp_path / "python311.zip", hook, tmp_path]
    check(path, ("b", "beta", "beta", "1"))


@pytest.mark.parametrize("entry", ["", ".", "sub/.."])
def test_relative_entries(
    tmp_path: Path, check: Check, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    check([entry, tmp_path], ("b", "beta", "beta", "1"))


def test_one_folder_many_times(tmp_path: Path, check: Check) -> None:
    install(tmp_path / "lib", "beta-1.dist-info", offer("b = beta"))
    (tmp_path / "lib64").symlink_to("lib")
    path = [tmp_path / entry for entry in ("lib", "lib64", "lib", "lib/../lib")]
    check(path, ("b", "beta", "beta", "1"))


def test_entries_that_an_import_skips(tmp_path: Path) -> None:
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    path: Any = [None, b"bytes", tmp_path, str(tmp_path)]
    expected = [("b", "beta", "beta", "1")]
    assert scan(GROUP, path) == scan_metadata(GROUP, path) == expected


def test_without_a_path_it_is_sys_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    assert scan(GROUP) == scan_metadata(GROUP) == []
    monkeypatch.syspath_prepend(tmp_path)
    expected = [("b", "beta", "beta", "1")]
    assert scan(GROUP) == scan_metadata(GROUP) == expected


class Embedded(importlib.metadata.Distribution):
    """A distribution that lives in no folder, as in a frozen application."""

    def __init__(self, files: dict[str, str]) -> None:
        self.contents = files

    def read_text(self, filename: str) -> str | None:
        """Answer from memory."""
        return self.contents.get(filename)

    def locate_file(self, path: Any) -> Any:
        """Refuse: there is no file."""
        raise FileNotFoundError(path)


def embedded(_context: object) -> list[Embedded]:
    files = {"entry_points.txt": offer("a = alpha")}
    named = {**files, "METADATA": "Name: alpha\nVersion: 1\n"}
    return [Embedded(files), Embedded(named)]


def finder(**methods: Callable[..., Any]) -> SimpleNamespace:
    return SimpleNamespace(find_spec=lambda *_: None, **methods)


def test_a_finder_with_distributions(
    tmp_path: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    foreign = finder(find_distributions=embedded)
    monkeypatch.setattr(sys, "meta_path", [foreign, *sys.meta_path])
    expected = ("a", "alpha", "alpha", "1"), ("b", "beta", "beta", "1")
    check([tmp_path], *expected, fast=False, raises=True)


def test_a_finder_without_distributions(
    tmp_path: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "beta-1.dist-info", offer("b = beta"))
    monkeypatch.setattr(sys, "meta_path", [finder(), *sys.meta_path])
    check([tmp_path], ("b", "beta", "beta", "1"))


WATCH = """
import os, sys
module, site, group = sys.argv[1:]
sys.path.insert(0, os.path.dirname(module))
import _discovery
sys.path[0] = site
sys.path.append(site)

opened, listed, imported = [], [], []
seen = {"open": opened, "os.listdir": listed, "import": imported}
sys.addaudithook(lambda event, args: event in seen and seen[event].append(args[0]))

print(*map(tuple, _discovery.scan(group)))
assert "importlib.metadata" not in sys.modules, "it imported importlib.metadata"
assert not imported, imported
assert opened, "nothing was opened"
assert all(os.path.basename(file) == "entry_points.txt" for file in opened), opened
assert len(opened) == len(set(opened)), opened
assert listed.count(site) == 1, listed
"""


def test_the_ordinary_case_touches_nothing_else(tmp_path: Path) -> None:
    offers = offer("a = plugin_of_alpha:plugin")
    install(tmp_path, "alpha-1.dist-info", offers, "Name: alpha\nVersion: 1")
    install(tmp_path, "beta-1.dist-info", None, "Name: beta\nVersion: 1")
    install(tmp_path, "old.egg-info", None, "Name: old\nVersion: 1")
    (tmp_path / "plugin_of_alpha.py").write_text("raise SystemExit('imported')\n")
    # The module alone, as its package may import importlib.metadata some day.
    command = [sys.executable, "-S", "-c", WATCH, _discovery.__file__]
    run = subprocess.run(
        [*command, str(tmp_path), GROUP], capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    assert run.stdout == "('a', 'plugin_of_alpha:plugin', 'alpha', '1')\n"


LINES = [
    f"[{GROUP}]",
    f" [{GROUP}] ",
    f"[[{GROUP}]]",
    f"[ {GROUP} ]",
    "[other]",
    "a = mod",
    "a=mod:attr [extra]",
    " b\t= mod : attr.of ",
    "b = ",
    "= mod",
    "garbage",
    "# comment = no",
    "\ufeff",
    "café = mod",
    "",
]
FILES = st.builds(
    lambda lines, end, encoding: end.join(lines).encode(encoding, "replace"),
    st.lists(st.sampled_from(LINES), max_size=8).map(lambda lines: [LINES[0], *lines]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8", "utf-8", "latin-1", "utf-16"]),
)
NAMES = ["alpha", "Al.pha", "al_pha", "al__PHA", "al-pha", "beta", "~eta", ""]
ENDS = ["-1.dist-info", "-2.0.dist-info", "-1-py3.egg-info", ".egg-info", ".dist-info"]
CHILDREN = st.tuples(st.sampled_from(NAMES), st.sampled_from(ENDS)).map("".join)
ORDINARY = st.sampled_from(["alpha", "Al.pha", "al_pha", "beta"]).map(
    lambda name: f"{name}-1.dist-info"
)
METADATA = st.sampled_from(["", "Name: al-pha\nVersion: 1", "Version: 1", "Name: beta"])


def sites(children: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Draw folders of distributions: name of each, its file and its metadata."""
    content = st.tuples(st.none() | FILES, METADATA)
    folder = st.dictionaries(children, content, max_size=4)
    return st.lists(folder, min_size=1, max_size=3)


@given(sites(ORDINARY) | sites(CHILDREN))
def test_both_scans_agree(
    folders: list[dict[str, tuple[bytes | None, str]]],
) -> None:
    # A folder of its own for each example: importlib.metadata caches by mtime.
    with tempfile.TemporaryDirectory() as root:
        path = [os.path.join(root, str(number)) for number in range(len(folders))]
        for entry, folder in zip(path, folders, strict=True):
            for child, (offers, metadata) in folder.items():
                install(Path(entry), child, offers, metadata)
        found = scan(GROUP, path)
        assert found == scan_metadata(GROUP, path)
        reference = raw(path)
    leftovers = any(child[0] in "~-" for folder in folders for child in folder)
    if reference is not None and not leftovers:
        assert [entry[:2] for entry in found] == reference
