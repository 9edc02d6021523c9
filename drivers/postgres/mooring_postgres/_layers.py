"""Options over a connection string of a weaker source, and the other way round."""

from collections.abc import Collection, Mapping

from mooring.core import Secret

from mooring_postgres._dsn import DsnError, parse

# The keywords that each option stands for; a connection string that has one of them
# wins over the option.
_KEYWORDS = {
    "host": ("host", "hostaddr"),
    "port": ("port",),
    "user": ("user",),
    "password": ("password",),
    "password_file": ("password", "passfile"),
    "dbname": ("dbname",),
    "name": ("dbname",),
    "target_session_attrs": ("target_session_attrs",),
}
# Two ways to give one thing, of which only one may be set.
_EITHER = {"password": "password_file", "password_file": "password"}


def void_options(options: Mapping[str, object]) -> Collection[str]:
    """Return the options that the connection string among them says too."""
    said = _parsed(options.get("conn_string")) or {}
    return [key for key in options if said.keys() & {*_KEYWORDS.get(key, ())}]


def overlay(
    weaker: Mapping[str, object], stronger: Mapping[str, object]
) -> dict[str, object]:
    """Return the weaker options with the stronger over them, each with its effect."""
    without = {_EITHER[key] for key in stronger if key in _EITHER}
    merged = {key: weaker[key] for key in weaker if key not in without} | dict(stronger)
    if "conn_string" in stronger:
        for key in void_options(merged):
            del merged[key]
        return merged
    said = _parsed(weaker.get("conn_string"))
    if said is None:
        return merged
    beaten = {keyword for key in stronger for keyword in _KEYWORDS.get(key, ())}
    if beaten & said.keys():
        kept = {key: value for key, value in said.items() if key not in beaten}
        merged["conn_string"] = Secret(" ".join(map(_pair, kept.items())))
    return merged


def _parsed(string: object) -> dict[str, str] | None:
    """Return what a connection string says; None if there is none to read."""
    text = string.reveal() if isinstance(string, Secret) else string
    if not isinstance(text, str) or not text:
        return None
    try:
        return parse(text)
    except DsnError:
        return None  # the configuration says so


def _pair(pair: tuple[str, str]) -> str:
    escaped = pair[1].replace("\\", "\\\\").replace("'", "\\'")
    return f"{pair[0]}='{escaped}'"
