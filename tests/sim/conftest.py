from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def verilator_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Verilator's own objects are compiled once for all models of a test session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPIKEWRIGHT_VERILATOR_CACHE", str(tmp_path_factory.mktemp("verilator") / "cache"))
        yield
