"""Discovery finds what works, lists what is broken, and imports nothing that is blocked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from i2ikit.errors import PluginError, UsageError
from i2ikit.hookspecs import API_VERSION, FeaturesEntry, MetricEntry, ModelEntry
from i2ikit.plugins import discover, resolve

Install = Callable[..., None]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return a function that writes an importable module."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, code: str) -> None:
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(code)

    return write


def offering(entry: str, hook: str = "i2ikit_models") -> str:
    return (
        "from i2ikit import FeaturesEntry, MetricEntry, ModelEntry, hookimpl\n"
        f"@hookimpl\ndef {hook}():\n    return [{entry}]\n"
    )


def problem(name: str) -> str:
    (plugin,) = [plugin for plugin in discover().plugins if plugin.name == name]
    return plugin.problem


def test_the_four_models_are_there() -> None:
    names = {entry.name for entry, _ in discover().offered(ModelEntry)}
    assert {"bicyclegan", "munit", "pix2pixhd", "unit"} <= names
    assert not [plugin for plugin in discover().plugins if plugin.problem]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named"),
        ("def broken(:", "SyntaxError"),
        (offering("'munit'"), "returned 'munit', which is no ModelEntry"),
        (offering("ModelEntry('x', model='m:X', api=99)"), f"this i2ikit has {API_VERSION}"),
        (offering("ModelEntry('x', model='m.X')"), "not 'module:Name'"),
        (
            offering("ModelEntry('x', model='m:X')", "i2ikit_metrics"),
            "i2ikit_metrics returned ModelEntry(",
        ),
        (
            offering("MetricEntry('x', metric='m:x', options='x')", "i2ikit_metrics"),
            "metric 'x' names 'x', not 'module:Name'",
        ),
        (
            offering("FeaturesEntry('x', space='m.x')", "i2ikit_features"),
            "feature space 'x' names 'm.x', not 'module:Name'",
        ),
        (
            offering("FeaturesEntry('x', space='m:x', api=0)", "i2ikit_features"),
            "feature space 'x' was written for API 0",
        ),
        (offering("").replace("i2ikit_models", "i2ikit_modles"), "hook unknown to i2ikit"),
        (offering("1/0"), "ZeroDivisionError"),
    ],
)
def test_a_broken_plugin_is_listed_and_harms_no_other(
    install: Install, module: Callable[[str, str], None], code: str, reason: str
) -> None:
    module("stranger", code)
    install("strange-package", odd="stranger")
    assert reason in problem("odd")
    assert discover().find(ModelEntry, "munit").name == "munit"


def test_an_unknown_model_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'munit'"):
        discover().find(ModelEntry, "munti")


def test_metrics_and_feature_spaces_have_names_of_their_own() -> None:
    with pytest.raises(UsageError, match="unknown metric 'fdi'"):
        discover().find(MetricEntry, "fdi")
    with pytest.raises(UsageError, match="unknown feature space 'fid'"):
        discover().find(FeaturesEntry, "fid")


def test_two_packages_with_one_metric_are_named(
    install: Install, module: Callable[[str, str], None]
) -> None:
    module("stranger", offering("MetricEntry('fid', metric='stranger:x')", "i2ikit_metrics"))
    install("strange-package", other="stranger")
    with pytest.raises(PluginError, match="'fid' is offered by i2ikit"):
        discover().find(MetricEntry, "fid")


def test_the_name_of_a_broken_plugin_says_why(
    install: Install, module: Callable[[str, str], None]
) -> None:
    module("stranger", "raise RuntimeError('no luck')")
    install("strange-package", odd="stranger")
    with pytest.raises(UsageError, match="of strange-package is broken: RuntimeError: no luck"):
        discover().find(ModelEntry, "odd")


def test_two_packages_with_one_model_are_named(
    install: Install, module: Callable[[str, str], None]
) -> None:
    module("stranger", offering("ModelEntry('munit', model='stranger:X')"))
    install("strange-package", other="stranger")
    with pytest.raises(PluginError) as caught:
        discover().find(ModelEntry, "munit")
    assert "strange-package 1.0" in str(caught.value)
    assert "-p no:munit or -p no:other" in str(caught.value)
    assert discover(blocked=["munit"]).find(ModelEntry, "munit").model == "stranger:X"


def test_two_plugins_of_one_entry_point_name_are_both_loaded(
    install: Install, module: Callable[[str, str], None]
) -> None:
    module("stranger", offering("ModelEntry('theirs', model='stranger:X')"))
    install("strange-package", munit="stranger")
    assert discover().find(ModelEntry, "theirs")
    assert discover().find(ModelEntry, "munit")


def test_a_blocked_plugin_is_not_imported(
    install: Install, module: Callable[[str, str], None]
) -> None:
    module("stranger", "raise SystemExit('imported')")
    install("strange-package", odd="stranger")
    (plugin,) = [plugin for plugin in discover(["odd"]).plugins if plugin.name == "odd"]
    assert plugin.is_blocked
    assert not plugin.problem
    assert "stranger" not in sys.modules
    with pytest.raises(UsageError, match="blocked by -p no:odd"):
        discover(["odd"]).find(ModelEntry, "odd")


@pytest.mark.parametrize("path", ["nowhere:X", "i2ikit.model:Nothing"])
def test_what_an_entry_names_must_exist(path: str) -> None:
    with pytest.raises(PluginError, match="can't be imported"):
        resolve(path)
