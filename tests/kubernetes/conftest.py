"""The chart, rendered by Helm once for all tests of it."""

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.kubernetes.chart import CHART, KINDS, Manifest
from tests.kubernetes.helm import Helm, HelmUnavailableError, helm


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helm]:
    """Helm for a copy of the chart whose Job is no hook: hooks are not among what it renders."""
    copy = tmp_path_factory.mktemp("chart") / "weir"
    shutil.copytree(CHART, copy)
    job = copy / "templates" / "topics.yaml"
    text = job.read_text(encoding="utf-8")
    assert text.count("helm.sh/hook") == 2
    job.write_text(re.sub(r" +helm\.sh/hook.*\n", "", text).replace("  annotations:\n", "", 1))
    try:
        with helm(copy) as found:
            yield found
    except HelmUnavailableError as error:
        pytest.skip(f"NO HELM, the chart was not rendered: {error}")


@pytest.fixture(scope="module")
def rendered(chart: Helm) -> dict[str, list[Manifest]]:
    return {kind: chart.template(values) for kind, values in KINDS.items()}
