from pathlib import Path

import pytest

from random_networks import random_network
from spikewright.build.generate import Loadable, build
from spikewright.contract.network import NetworkSpec
from spikewright.integer.file import save_model


@pytest.fixture(scope="package")
def spec() -> NetworkSpec:
    return random_network(5, timesteps=6)


@pytest.fixture(scope="package")
def model(spec: NetworkSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, spec, {"timestep": 0.01})
    return path


@pytest.fixture(scope="package")
def folder(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("build") / "build"
    build(model, path, lanes=2)
    return path


@pytest.fixture(scope="package")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("other") / "other.safetensors"
    save_model(path, random_network(6, timesteps=6))
    return path


@pytest.fixture(scope="package")
def loadable(model: Path, other: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loadable") / "build"
    build(model, path, lanes=2, loadable=Loadable(0.0, [other]))
    return path
