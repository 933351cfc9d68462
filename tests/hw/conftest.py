import gc
from collections.abc import Iterator

import pytest
from amaranth.hdl import Elaboratable


@pytest.fixture(scope="session", autouse=True)
def components_may_stay_unused() -> Iterator[None]:
    """Amaranth warns of components that nobody elaborates, as those whose constructor raised."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Elaboratable, "_MustUse__silence", True)
        yield
        gc.collect()  # what warns, warns when it is collected
