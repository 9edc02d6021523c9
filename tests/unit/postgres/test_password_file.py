"""Files that hold a password."""

import os
from pathlib import Path

import pytest
from mooring import core
from mooring_postgres._password_file import read_password


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    path.chmod(0o600)
    return path


def refused(path: Path) -> core.OpenError:
    with pytest.raises(core.OpenError) as caught:
        read_password(str(path))
    assert str(path) in caught.value.message
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None or isinstance(
        caught.value.__context__, OSError
    )
    return caught.value


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b" hunter2 ", " hunter2 "),
        ("h\u00fcnter\n".encode(), "h\u00fcnter"),
    ],
)
def test_one_line_break_at_the_end_is_not_part_of_it(
    content: bytes, password: str, file: Path
) -> None:
    file.write_bytes(content)

    assert read_password(str(file)) == password


def test_it_is_read_again_each_time(file: Path) -> None:
    first = read_password(str(file))
    file.write_text("exchanged")

    assert (first, read_password(str(file))) == ("hunter2", "exchanged")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hunter2\n\n", "more than one line"),
        (b"hunter2\nhunter2", "more than one line"),
        (b"hunter2\0", "a NUL"),
        (b"hunter2\xff", "is not UTF-8"),
    ],
)
def test_what_is_no_password_is_refused(
    content: bytes, problem: str, file: Path
) -> None:
    file.write_bytes(content)

    assert problem in refused(file).message


def test_a_missing_one_names_file_and_user(tmp_path: Path) -> None:
    error = refused(tmp_path / "missing")

    assert "as user " in error.message
    assert "No such file" in error.message


def test_a_folder_and_a_pipe_are_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)

    assert "is not a regular file" in refused(pipe).message
    assert "is not a regular file" in refused(tmp_path).message


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o620, 0o644, 0o777])
def test_one_that_others_can_read_is_refused(mode: int, file: Path) -> None:
    file.chmod(mode)
    error = refused(file)

    assert f"has mode {mode:04o}" in error.message
    assert f"chmod 06{'4' if file.owner() == 'root' else '0'}0 {file}" in str(error)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_one_of_its_owner_alone_is_taken(mode: int, file: Path) -> None:
    file.chmod(mode)

    assert read_password(str(file)) == "hunter2"


def test_a_group_may_read_it_only_if_it_belongs_to_root(file: Path) -> None:
    file.chmod(0o640)

    if file.owner() == "root":
        taken = read_password(str(file))
        os.chown(file, 65534, -1)
        refusal = refused(file)
        assert taken == "hunter2"
    else:
        refusal = refused(file)
    assert "chmod 0600" in str(refusal)


def test_a_link_is_followed(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)  # as Kubernetes mounts a secret

    assert read_password(str(link)) == "hunter2"
