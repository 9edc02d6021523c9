"""A secret is shown nowhere: in no text, error, log or warning, wherever it is put."""

import gc
import json
import logging
import pickle
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, get_args
from urllib.parse import quote

import attrs
import cattrs
import pytest

from mooring import core
from mooring.testing.contract._canary import shows, texts_of

# Each needs another escape where it is quoted: in a repr, in JSON, in a URL.
CANARIES = ("canary7hunter", "can'ary%7 \"@/:hunter\\", "canäry7\thunter")
canaries = pytest.mark.parametrize(
    "canary", CANARIES, ids=["plain", "quotes", "controls"]
)
# Shorter ones may be words that a text holds anyway.
_LONG_ENOUGH = 8
_TELLING = re.compile(r"passw(or)?d|passphrase|secret|token|credential|api_?key")
_PLACE = re.compile(r"_(file|path|dir|timeout|period)$")

Listen = Callable[[], list[str]]


class SecretsContract:
    """A secret is shown nowhere: in no text, error, log or warning."""

    @pytest.fixture
    def hidden(self, config: dict[str, object]) -> list[str]:
        """The options of the driver that are secrets."""
        class_ = core.default_registry().info(str(config["driver"])).config_class
        return [
            key
            for key, field in core.option_fields(attrs.resolve_types(class_)).items()
            if field.metadata.get("secret")
            or core.Secret in (field.type, *get_args(field.type))
        ]

    @pytest.fixture
    def heard(
        self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> Iterator[Listen]:
        """Return, when called, all that was logged, printed or warned of so far."""
        for name in ("", *logging.Logger.manager.loggerDict):
            caplog.set_level(1, logger=name or None)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")

            def listen() -> list[str]:
                gc.collect()
                texts = [caplog.text, *capfd.readouterr()]
                texts += [f"{record!r} {record.args!r}" for record in caplog.records]
                return [*texts, *(str(warning.message) for warning in warned)]

            yield listen

    def test_what_is_called_a_secret_is_one(self, config: dict[str, object]) -> None:
        class_ = core.default_registry().info(str(config["driver"])).config_class
        for key, field in core.option_fields(attrs.resolve_types(class_)).items():
            if _TELLING.search(key) and not _PLACE.search(key):
                kinds = {*(get_args(field.type) or (field.type,))} - {type(None)}

                assert kinds == {core.Secret}, f"declare {key} with secret=True"

    @canaries
    def test_a_configuration_does_not_show_it(
        self, config: dict[str, object], hidden: list[str], canary: str
    ) -> None:
        for key in hidden:
            with suppress(core.ConfigError):
                instance: Any = core.configure({**config, key: canary})
                texts = [
                    f"{instance} {instance!r} {getattr(instance, key)}",
                    repr(attrs.asdict(instance)),
                    repr(attrs.astuple(instance)),
                    repr(attrs.evolve(instance)),
                    repr(cattrs.unstructure(instance)),
                    json.dumps(attrs.asdict(instance), default=str),
                    json.dumps(attrs.asdict(instance), default=repr),
                ]
                with pytest.raises(TypeError) as caught:
                    pickle.dumps(instance)

                assert not _showing([*texts, *texts_of(caught.value)], canary)
                assert getattr(instance, key).reveal() == canary

    @canaries
    def test_a_store_that_opens_or_fails_does_not_show_it(
        self,
        config: dict[str, object],
        hidden: list[str],
        canary: str,
        heard: Listen,
    ) -> None:
        for key in hidden:
            texts = _open({**config, key: canary})

            assert not _showing([*texts, *heard()], canary)

    @canaries
    def test_a_store_that_cannot_be_reached_does_not_show_it(
        self,
        unreachable_config: Mapping[str, object],
        hidden: list[str],
        canary: str,
        heard: Listen,
    ) -> None:
        for key in hidden:
            with pytest.raises(core.MooringError) as caught:
                core.open({**unreachable_config, key: canary})

            assert not _showing([*texts_of(caught.value), *heard()], canary)

    def test_a_store_at_work_does_not_show_those_that_it_was_opened_with(
        self, config: dict[str, object], heard: Listen
    ) -> None:
        values = attrs.asdict(core.configure(config), recurse=False).values()
        secrets = [v.reveal() for v in values if isinstance(v, core.Secret)]
        texts = _open(config) + heard()

        for secret in secrets:
            assert len(secret) < _LONG_ENOUGH or not _showing(texts, secret)

    @canaries
    def test_an_option_of_a_wrong_shape_does_not_show_it(
        self, config: dict[str, object], hidden: list[str], canary: str, heard: Listen
    ) -> None:
        shapes: list[object] = [[canary], {canary: canary}, canary.encode(), {canary}]
        class_ = core.default_registry().info(str(config["driver"])).config_class
        numbers = [
            key
            for key, field in core.option_fields(attrs.resolve_types(class_)).items()
            if field.type in (int, float, bool)
        ]
        wrong = [(key, shape) for key in [*hidden, *numbers] for shape in shapes]
        wrong += [(key, canary) for key in numbers]
        for key, value in wrong:
            # The secret itself stands beside what is wrong, too.
            beside = dict.fromkeys(hidden, canary)
            with pytest.raises(core.ConfigError) as caught:
                core.configure({**config, **beside, key: value})

            assert not _showing(texts_of(caught.value), canary)
        assert not _showing(heard(), canary)

    @canaries
    def test_a_wrong_key_does_not_show_it(
        self, config: dict[str, object], hidden: list[str], canary: str
    ) -> None:
        for key in [*(name[:-1] for name in hidden), "passwrod", "dsn", "url"]:
            with pytest.raises(core.ConfigError) as caught:
                core.configure({**config, key: canary})

            assert not _showing(texts_of(caught.value), canary)

    @canaries
    @pytest.mark.parametrize(
        "form",
        [
            "{name}://user:{canary}@",
            "{name}://user:{canary}@127.0.0.1:port/name",
            "{name}://user:{canary}%zz@127.0.0.1:1/name",
            "{name}://user:{canary}%@127.0.0.1:1/name",
            "{name}://user:{canary}@127.0.0.1:1/name?no_such_option=1",
            "{name}:///name?password={canary}&no_such_option=%",
            "{name}:user={canary} password={canary}",
            " {name}:\0{canary}",
            "{name}x://user:{canary}@127.0.0.1:1/name",
            "//user:{canary}@127.0.0.1:1/name",
        ],
    )
    def test_a_url_that_cannot_be_used_does_not_show_it(
        self, config: dict[str, object], canary: str, form: str
    ) -> None:
        for written in (canary, quote(canary, safe="")):
            url = form.format(name=config["driver"], canary=written)
            for source in (url, {**config, "driver": url}):
                assert not _showing(_configure(source), canary)


def _showing(texts: Iterable[str], canary: str) -> list[str]:
    return [text for text in texts if shows(text, canary)]


def _configure(source: Any) -> list[str]:
    """Return what can be read from the configuration, or from the error instead."""
    try:
        instance = core.configure(source)
    except core.MooringError as error:
        return list(texts_of(error))
    if any("hunter" in str(value) for value in attrs.astuple(instance)):
        # A driver without a password may take it for the name of a file.
        return []
    return [repr(instance), str(instance)]


def _open(config: Mapping[str, object]) -> list[str]:
    """Return what can be read from a store, and from what it says of itself."""
    try:
        with core.open(config, migrate="skip") as store:
            texts = [f"{store} {store!r} {store.config!r}"]
            texts += [
                repr(core.health_check(store, deep=deep)) for deep in (False, True)
            ]
            if isinstance(store, core.SqlStore):
                with pytest.raises(core.StatementError) as caught:
                    store.execute("SELECT * FROM nowhere")
                texts += texts_of(caught.value)
        return [*texts, repr(store), repr(core.health_check(store))]
    except core.MooringError as error:
        return list(texts_of(error))
