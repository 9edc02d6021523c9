"""A configuration is strict, complete in what it complains of, and never changes."""

from collections.abc import Mapping
from math import inf, nan
from typing import Any, get_args

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mooring import core

_SETTINGS = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
    ],
)
# One value of each type that a configuration file or a program could give.
SAMPLES: tuple[object, ...] = (
    None,
    True,
    7,
    7.5,
    "seven",
    b"seven",
    [7],
    (7,),
    {"seven": 7},
    {7},
    7j,
    object(),
)
PLAIN = (str, int, float, bool, core.Secret)


def kinds(declared: Any) -> tuple[type, ...] | None:
    """Return the exact types that an option takes; None where that is not plain."""
    wider: dict[Any, tuple[type, ...]] = {
        float: (float, int),
        core.Secret: (core.Secret, str),
    }
    found: list[type] = []
    for kind in get_args(declared) or (declared,):
        if kind not in (*PLAIN, type(None)):
            return None
        found += wider.get(kind, (kind,))
    return tuple(found)


class ConfigContract:
    """A configuration is strict, complete in what it complains of, never changing."""

    @pytest.fixture
    def options(self, config: dict[str, object]) -> Mapping[str, Any]:
        """The declared options of the driver's configuration class, by key."""
        class_ = core.default_registry().info(str(config["driver"])).config_class
        return core.option_fields(attrs.resolve_types(class_))

    @pytest.fixture
    def wrong(self, options: Mapping[str, Any]) -> Mapping[str, list[object]]:
        """For each option of a plain type, values of every other type."""
        found = {}
        for key, field in options.items():
            allowed = kinds(field.type)
            if allowed is not None:
                found[key] = [v for v in SAMPLES if type(v) not in allowed]
        return found

    def test_a_mapping_an_instance_and_its_options_are_the_same_configuration(
        self, config: dict[str, object], options: Mapping[str, Any]
    ) -> None:
        given_as = dict(config)
        instance = core.configure(config)
        written = {key: getattr(instance, field.name) for key, field in options.items()}

        assert config == given_as
        assert core.configure(instance) is instance
        assert core.configure(config) == instance
        assert core.configure({"driver": instance.driver, **written}) == instance
        assert attrs.evolve(instance) == instance

    def test_an_instance_opens_what_its_mapping_opens(
        self, config: dict[str, object]
    ) -> None:
        instance = core.configure(config)
        with core.open(instance, migrate="skip") as store:
            assert store.config is instance
        with core.open(config, migrate="skip") as store:
            assert store.config == instance

    def test_the_name_of_the_driver_may_be_written_in_any_case(
        self, config: dict[str, object]
    ) -> None:
        shouted = {**config, "driver": f" {config['driver']} ".upper()}

        assert core.configure(shouted) == core.configure(config)

    def test_nothing_of_it_can_be_changed(
        self, config: dict[str, object], options: Mapping[str, Any]
    ) -> None:
        instance = core.configure(config)
        before = attrs.asdict(instance, recurse=False)
        for name in ["driver", *(field.name for field in options.values())]:
            with pytest.raises(attrs.exceptions.FrozenInstanceError):
                setattr(instance, name, getattr(instance, name))
            with pytest.raises(attrs.exceptions.FrozenInstanceError):
                delattr(instance, name)

        assert attrs.asdict(instance, recurse=False) == before

    def test_an_unknown_option_is_refused_and_the_one_that_was_meant_is_told(
        self, config: dict[str, object], options: Mapping[str, Any]
    ) -> None:
        for key in options:
            misspelt = f"{key}x"
            if misspelt in options:
                continue
            with pytest.raises(core.ConfigError) as caught:
                core.configure({**config, misspelt: 1})
            (problem,) = caught.value.problems

            assert problem.key == misspelt
            assert problem.message.startswith("unknown option; did you mean '")

    def test_an_option_refuses_every_other_type(
        self, config: dict[str, object], wrong: Mapping[str, list[object]]
    ) -> None:
        for key, values in wrong.items():
            for value in values:
                with pytest.raises(core.ConfigError) as caught:
                    core.configure({**config, key: value})
                told = [p.message for p in caught.value.problems if p.key == key]

                assert told, f"{key}={value!r} is not told"

    @_SETTINGS
    @given(data=st.data())
    def test_every_problem_is_told_at_once(
        self,
        config: dict[str, object],
        wrong: Mapping[str, list[object]],
        data: st.DataObject,
    ) -> None:
        keys = data.draw(st.sets(st.sampled_from(sorted(wrong)), min_size=1))
        broken = {key: data.draw(st.sampled_from(wrong[key])) for key in sorted(keys)}
        unknown = {f"{key}_of_no_use": 1 for key in keys}
        with pytest.raises(core.ConfigError) as caught:
            core.configure({**config, **broken, **unknown})

        assert {*broken, *unknown} <= {problem.key for problem in caught.value.problems}

    @_SETTINGS
    @given(data=st.data())
    def test_any_value_in_its_range_is_kept_as_it_is(
        self,
        config: dict[str, object],
        options: Mapping[str, Any],
        data: st.DataObject,
    ) -> None:
        rules = {
            key: field.metadata["rule"]
            for key, field in options.items()
            if _has_range(field)
        }
        key = data.draw(st.sampled_from(sorted(rules)))
        least, most = _edges(rules[key])
        numbers: st.SearchStrategy[Any] = st.integers(least, most)
        if options[key].type is float:
            numbers |= st.floats(least, most, allow_nan=False)
        value = data.draw(numbers)
        try:
            found = core.configure({**config, key: value})
        except core.ConfigError as error:
            # Right by itself, but perhaps not beside the others.
            told = [p.message for p in error.problems if p.key == key]
            refused = ("expected", "must be >", "must be between")
            assert not [text for text in told if text.startswith(refused)]
        else:
            kept = getattr(found, options[key].name)
            assert (kept, type(kept)) == (value, type(value))

    def test_a_number_out_of_its_range_is_refused_with_the_range(
        self, config: dict[str, object], options: Mapping[str, Any]
    ) -> None:
        for key, field in options.items():
            for value in _outside(field.metadata["rule"]) if _has_range(field) else ():
                with pytest.raises(core.ConfigError) as caught:
                    core.configure({**config, key: field.type(value)})
                told = {p.key: p.message for p in caught.value.problems}

                assert told[key].startswith("must be ")

    def test_what_is_no_number_is_no_value_of_an_option(
        self, config: dict[str, object], options: Mapping[str, Any]
    ) -> None:
        for key, field in options.items():
            if field.type is float:
                for value in (nan, inf, -inf):
                    with pytest.raises(core.ConfigError) as caught:
                        core.configure({**config, key: value})

                    assert key in {p.key for p in caught.value.problems}

    def test_every_option_is_documented_and_every_number_has_its_unit(
        self, options: Mapping[str, Any]
    ) -> None:
        for key, field in options.items():
            doc = field.metadata.get("doc", "")

            assert doc.strip(), f"{key} has no doc: declare it with core.option"
            if field.type in (int, float):
                assert field.metadata.get("unit"), f"{key} has no unit"


def _has_range(field: Any) -> bool:
    """Return whether an option is a number with a rule of `core.option`."""
    return field.type in (int, float) and "rule" in field.metadata


def _outside(rule: Any) -> list[float]:
    found: list[float] = [] if rule.above is None else [rule.above]
    found += [] if rule.minimum is None else [rule.minimum - 1]
    return found + ([] if rule.maximum is None else [rule.maximum + 1])


def _edges(rule: Any) -> tuple[int, int]:
    """Return whole numbers around which a range begins and ends."""
    least = 0 if rule.minimum is None else int(rule.minimum)
    if rule.above is not None:
        least = int(rule.above) + 1
    return least, least + 50 if rule.maximum is None else int(rule.maximum)
