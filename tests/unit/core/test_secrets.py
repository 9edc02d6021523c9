import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import attrs
import cattrs
import pytest
from mooring import core
from mooring.core import Capability, DriverInfo, Problem, Registry, hookimpl
from mooring.testing.contract._canary import reachable, shows

# Each needs another escape where it is quoted: in a repr, in JSON, in a URL.
CANARIES = ["hunter2", 'hun"ter\\2', "hun'ter 2@%/:", "hünter2", "hunter\n2 of\tit"]
canaries = pytest.mark.parametrize("canary", CANARIES, ids=repr)


def _talkative(instance: object, attribute: object, value: Any) -> None:
    """Refuse, as a careless author does, with the value in text and arguments."""
    shown = value.reveal() if isinstance(value, core.Secret) else value
    raise ValueError(f"bad value: {shown} {shown!r}", attribute, shown)


def _wrapped(value: Any) -> Any:
    return core.Secret(value) if type(value) is str else value


def _unless_long(instance: object, attribute: object, value: Any) -> None:
    if value is not None and len(value.reveal()) < 1000:
        _talkative(instance, attribute, value)


@attrs.frozen(kw_only=True)
class Tls:
    key: core.Secret | None = None
    strict: bool = True


@attrs.frozen(kw_only=True)
class VaultConfig(core.StoreConfig):
    driver: str = attrs.field(default="vault", init=False)
    host: str = core.option("", "Where it is.")
    password: core.Secret | None = core.option(None, "The key to it.", secret=True)
    tls: Tls = attrs.field(factory=Tls)

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, object]:
        _, _, rest = url.partition("//")
        userinfo, at, host = rest.rpartition("@")
        if not at or not host.isalpha():
            raise core.ConfigError(
                [f"no host in {url}"], hint="write user:password@host"
            )
        if host == "broken":
            raise ValueError(f"cannot parse {url!r}")
        if host == "port":
            return {"port": int(userinfo)}
        return {"host": host, "password": userinfo.partition(":")[2]}


@attrs.frozen(kw_only=True)
class TalkativeConfig(VaultConfig):
    """Its own check puts the secret into its message."""

    password: core.Secret | None = attrs.field(
        default=None,
        converter=_wrapped,
        validator=_unless_long,
        metadata={"secret": True},
    )


@attrs.frozen(kw_only=True)
class ComparingConfig(VaultConfig):
    """It compares options, and shows what it compared."""

    def problems(self) -> Iterable[Problem]:
        yield from super().problems()
        if self.password is not None:
            yield Problem("password", f"{self.password.reveal()} is no good")


class Vault:
    """A driver of somebody else, with a hook that can be made to fail."""

    def __init__(
        self,
        config_class: type[core.StoreConfig] = VaultConfig,
        fail: Callable[[str], object] = str,
        hook: str = "open_store",
    ) -> None:
        self.config_class = config_class
        self.fail = fail
        self.hook = hook

    def _maybe(self, hook: str, config: Any) -> None:
        if hook == self.hook:
            self.fail(config.password.reveal())

    @hookimpl
    def driver_info(self) -> DriverInfo:
        return DriverInfo(name="vault", config_class=self.config_class)

    @hookimpl
    def open_store(self, config: Any) -> "OpenVault":
        self._maybe("open_store", config)
        return OpenVault(config)

    @hookimpl
    def health_check(self, store: Any) -> core.Health:
        self._maybe("health_check", store.config)
        return core.Health.of((), latency=0.0)


class MigratedVault(Vault):
    """One that brings migrations, if they can be found."""

    @hookimpl
    def migrations_dir(self, config: Any) -> core.Folder:
        self._maybe("migrations_dir", config)
        return core.package_folder("mooring", "migrate")


class OpenVault:
    def __init__(self, config: Any) -> None:
        self.config = config
        self.driver = "vault"
        self.capabilities: frozenset[Capability] = frozenset()

    def close(self) -> None: ...


def registry_of(vault: Vault) -> Registry:
    registry = Registry(discover=False)
    registry.register(vault, name="vault")
    return registry


def listening(stream: io.StringIO) -> logging.Logger:
    logger = logging.getLogger("probe")
    logger.propagate = False
    logger.handlers = [logging.StreamHandler(stream)]
    return logger


def assert_silent(error: BaseException, canary: str) -> None:
    stream = io.StringIO()
    logger = listening(stream)
    logger.error("it failed: %s %r", error, error, exc_info=error)
    texts = [stream.getvalue(), *traceback.format_exception(error)]
    for found in reachable(error):
        texts += [str(found), repr(found), repr(found.args), repr(vars(found))]
    texts.append(str(pickle.dumps(error)) if error.__cause__ is None else "")

    assert [text for text in texts if shows(text, canary)] == []


def failure_of(config: Any, registry: Registry) -> core.MooringError:
    with pytest.raises(core.MooringError) as caught:
        core.open(config, registry=registry)
    return caught.value


def refused(canary: str, vault: Vault | None = None, **options: object) -> Any:
    config = {"driver": "vault", **options}
    error = failure_of(config, registry_of(vault or Vault()))
    assert_silent(error, canary)
    return error


# -- a good configuration -----------------------------------------------------


@canaries
def test_a_good_configuration_shows_nothing(canary: str) -> None:
    options = {"driver": "vault", "password": canary, "tls": {"key": canary}}
    config: Any = core.configure(options, registry=registry_of(Vault()))
    stream = io.StringIO()
    logger = listening(stream)
    logger.error("%s %r %s", config, config, {"config": config})
    texts = [
        repr(config),
        str(config),
        f"{config} {config!r} {config.password}",
        stream.getvalue(),
        repr(attrs.asdict(config)),
        repr(attrs.astuple(config)),
        repr(cattrs.unstructure(config)),
        json.dumps(attrs.asdict(config), default=str),
        json.dumps(attrs.asdict(config), default=repr),
        repr(attrs.evolve(config, host="h")),
        repr(config.password.__reduce__.__self__),
        repr(
            [getattr(config.password, name) for name in type(config.password).__slots__]
        ),
    ]

    assert [text for text in texts if shows(text, canary)] == []
    assert config.password.reveal() == config.tls.key.reveal() == canary


@canaries
def test_a_configuration_with_a_secret_is_not_pickled(canary: str) -> None:
    config = VaultConfig(password=core.Secret(canary))
    with pytest.raises(TypeError) as caught:
        pickle.dumps(config)

    assert_silent(caught.value, canary)


def test_a_configuration_with_a_secret_can_be_copied() -> None:
    config = VaultConfig(password=core.Secret("hunter2"))

    assert copy.copy(config) == config
    assert copy.deepcopy(config) == config


def test_a_secret_is_made_of_a_text_only() -> None:
    values: list[Any] = [b"hunter2", 5, None, ["hunter2"]]
    for wrong in values:
        with pytest.raises(TypeError) as caught:
            core.Secret(wrong)
        assert_silent(caught.value, "hunter2")


def test_secrets_are_equal_by_content_and_never_equal_to_a_text() -> None:
    assert core.Secret("a") == core.Secret("a")
    assert core.Secret("a") != core.Secret("b")
    assert core.Secret("a") != "a"
    assert hash(core.Secret("a")) == hash(core.Secret("a"))
    assert not core.Secret("")


# -- a configuration that is refused ------------------------------------------


@canaries
@pytest.mark.parametrize("wrap", [lambda c: [c], lambda c: {c: c}, str.encode, set])
def test_a_secret_of_the_wrong_type_is_not_shown(
    canary: str, wrap: Callable[[str], object]
) -> None:
    error = refused(canary, password=wrap(canary))

    assert error.problems[0].key == "password"
    assert error.problems[0].message.startswith("expected str, got ")


@canaries
def test_a_secret_beside_something_wrong_is_not_shown(canary: str) -> None:
    error = refused(canary, password=canary, host=5, pasword=canary, tls={"strict": 1})

    assert [p.key for p in error.problems] == ["host", "tls", "pasword"]
    assert "did you mean 'password'?" in str(error)


@canaries
def test_a_secret_in_the_place_of_another_option_is_not_shown(canary: str) -> None:
    refused(canary, pool_timeout=canary, max_open_conns=canary, tls=canary)
    refused(canary, password=canary, tls={"key": [canary], "strict": canary})
    refused(canary, password=canary, tls={"kye": canary})


@canaries
@pytest.mark.parametrize("config_class", [TalkativeConfig, ComparingConfig])
def test_a_check_of_a_third_party_that_shows_the_secret_is_masked(
    canary: str, config_class: type[core.StoreConfig]
) -> None:
    for other in ({}, {"host": 5}, {"tls": {"strict": True}}):
        error = refused(canary, Vault(config_class), password=canary, **other)

        assert isinstance(error, core.ConfigError)
        assert "***" in str(error)


@canaries
def test_a_secret_in_the_place_of_the_drivers_name_is_not_shown(canary: str) -> None:
    url = f"vault://user:{canary}@host/name"
    for name in (url, f"user:{canary}@host", f"//{canary}@host"):
        error = failure_of({"driver": name}, registry_of(Vault()))

        assert_silent(error, canary)
        assert "core.open(url)" in (error.hint or "")


@canaries
@pytest.mark.parametrize(
    "form",
    [
        "vault://user:{}@broken",
        "vault://{}@port",
        "vault://user:{}",
        " vault:{}",
        "vault://x?password={}",
        "//user:{}@host",
        "user {}: x",
        "sqlit://user:{}@host",
        "plain://user:{}@host",
    ],
)
def test_a_url_that_cannot_be_used_is_not_shown(canary: str, form: str) -> None:
    registry = registry_of(Vault())

    class Plain(Vault):
        @hookimpl
        def driver_info(self) -> DriverInfo:
            return DriverInfo(name="plain", config_class=PlainConfig)

    registry.register(Plain(), name="plain")
    for secret in (canary, quote(canary, safe="")):
        assert_silent(failure_of(form.format(secret), registry), canary)


@attrs.frozen(kw_only=True)
class PlainConfig(core.StoreConfig):
    driver: str = attrs.field(default="plain", init=False)


def test_a_good_url_keeps_its_secret() -> None:
    config: Any = core.configure("vault://u:hunter2@h", registry=registry_of(Vault()))

    assert config.password.reveal() == "hunter2"
    assert not shows(repr(config), "hunter2")


# -- a driver that fails ------------------------------------------------------


class DriverOwnError(Exception):
    """What a client library raises."""


def plainly(secret: str) -> None:
    raise DriverOwnError(f"login failed for {secret}")


def quoted(secret: str) -> None:
    raise DriverOwnError(f"connect({secret!r}) {quote(secret, safe='')}", secret)


def as_ours(secret: str) -> None:
    raise core.OpenError(f"login failed for {secret}", hint=f"is {secret} right?")


def in_the_hint(secret: str) -> None:
    raise core.CorruptStoreError("damaged", hint=f"decrypt it with {secret}")


def in_the_cause(secret: str) -> None:
    try:
        plainly(secret)
    except DriverOwnError as cause:
        raise core.OpenError("login failed") from cause


def in_the_hidden_context(secret: str) -> None:
    try:
        plainly(secret)
    except DriverOwnError:
        raise core.OpenError("login failed") from None


def in_the_context_beside_a_cause(secret: str) -> None:
    try:
        plainly(secret)
    except DriverOwnError:
        raise core.OpenError("login failed") from KeyError("harmless")


def in_a_group(secret: str) -> None:
    raise ExceptionGroup("tried all", [OSError("a"), DriverOwnError(secret)])


def in_the_group_below_ours(secret: str) -> None:
    try:
        in_a_group(secret)
    except ExceptionGroup as cause:
        raise core.OpenError("login failed") from cause


def in_a_note(secret: str) -> None:
    error = core.OpenError("login failed")
    error.add_note(f"with {secret}")
    raise error


def in_an_attribute(secret: str) -> None:
    error: Any = core.OpenError("login failed")
    error.dsn = f"vault://{secret}"
    raise error


FAILURES = [
    plainly,
    quoted,
    as_ours,
    in_the_hint,
    in_the_cause,
    in_the_hidden_context,
    in_the_context_beside_a_cause,
    in_a_group,
    in_the_group_below_ours,
    in_a_note,
    in_an_attribute,
]


@canaries
@pytest.mark.parametrize("fail", FAILURES, ids=lambda fail: fail.__name__)
def test_what_a_driver_raises_shows_no_secret(
    canary: str, fail: Callable[[str], None]
) -> None:
    for vault in (Vault(fail=fail), MigratedVault(fail=fail, hook="migrations_dir")):
        error = refused(canary, vault, password=canary)

        assert isinstance(error, core.OpenError)
        assert error.__cause__ is None
        assert error.__context__ is None
        assert vault.hook in error.message


@canaries
@pytest.mark.parametrize("fail", FAILURES, ids=lambda fail: fail.__name__)
def test_what_a_health_check_raises_is_a_failed_check_without_a_secret(
    canary: str, fail: Callable[[str], None]
) -> None:
    registry = registry_of(Vault(fail=fail, hook="health_check"))
    options = {"driver": "vault", "password": canary}
    health = core.health_check(core.open(options, registry=registry))

    assert health.status == "failed"
    assert not shows(repr(health), canary)


def test_a_nested_secret_is_masked_in_what_a_driver_raises() -> None:
    class Nested(Vault):
        @hookimpl
        def open_store(self, config: Any) -> "OpenVault":
            raise DriverOwnError(f"bad key {config.tls.key.reveal()}")

    error = refused("hunter2", Nested(), tls={"key": "hunter2"})

    assert error.message == "driver 'vault' failed in open_store: bad key ***"


def test_an_error_without_the_secret_keeps_its_type_and_its_cause() -> None:
    def harmless(secret: str) -> None:
        raise core.CorruptStoreError("damaged", hint="restore it")

    def foreign(secret: str) -> None:
        raise DriverOwnError("no route to host")

    ours = refused("hunter2", Vault(fail=harmless), password=CANARIES[0])
    theirs = refused("hunter2", Vault(fail=foreign), password=CANARIES[0])

    assert type(ours) is core.CorruptStoreError
    assert ours.hint == "restore it"
    assert "no route to host" in theirs.message
    assert isinstance(theirs.__cause__, DriverOwnError)


def test_an_empty_secret_masks_nothing() -> None:
    error = refused("hunter2", Vault(fail=plainly), password="")

    assert error.message == "driver 'vault' failed in open_store: login failed for "
