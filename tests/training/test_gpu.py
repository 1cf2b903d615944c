"""A GPU computes the losses of a CPU, in every model and precision, and goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from i2ikit.training.report import Report
from tests.training.trained import Domains, log, train

pytestmark = pytest.mark.gpu

SMALL: dict[str, dict[str, Any]] = {
    "unit": {"dim": 8, "n_res": 2, "dis_dim": 8, "num_scales": 2, "n_layer": 2},
    "munit": {"dim": 8, "n_res": 2, "mlp_dim": 8, "dis_dim": 8, "num_scales": 2, "n_layer": 2},
    "bicyclegan": {"ngf": 8, "nef": 8, "ndf": 8},
    "pix2pixhd": {
        "label_nc": 0,
        "no_instance": True,
        "ngf": 8,
        "ndf": 8,
        "n_downsample_global": 2,
        "n_blocks_global": 2,
    },
}
SIDE = {"bicyclegan": 64}


def trained(domains: Domains, output: Path, model: str, **more: Any) -> list[dict[str, float]]:
    settings = {"steps": 4, "save_every": 2, "size": SIDE.get(model, 32)}
    train(domains, output, model, options=SMALL[model], **{**settings, **more})
    return log(output)


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.1), ("fp16", 0.05)]
)
@pytest.mark.parametrize("model", SMALL)
def test_the_first_losses_are_those_of_a_cpu(
    domains: Domains, tmp_path: Path, model: str, precision: Any, tolerance: float
) -> None:
    expected = trained(domains, tmp_path / "cpu", model, device="cpu")
    found = trained(domains, tmp_path / "gpu", model, device="cuda", precision=precision)
    assert len(found) == len(expected)
    assert found[0] == pytest.approx(expected[0], rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("model", SMALL)
def test_a_training_on_a_gpu_goes_on(domains: Domains, tmp_path: Path, model: str) -> None:
    def stop(report: Report) -> None:
        if report.step == 3:
            raise KeyboardInterrupt

    whole = trained(domains, tmp_path / "whole", model, device="cuda")
    with pytest.raises(KeyboardInterrupt):
        trained(domains, tmp_path / "parts", model, device="cuda", on_progress=stop)
    parts = trained(domains, tmp_path / "parts", model, device="cuda")
    assert parts[-1] == pytest.approx(whole[-1], rel=1e-2, abs=1e-2)
