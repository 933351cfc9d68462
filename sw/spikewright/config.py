"""Public names of `spikewright.learn.config`, where the package itself imports them from."""

from spikewright.learn.config import (
    AugmentConfig,
    Config,
    DataConfig,
    DistillationConfig,
    LayerConfig,
    NetworkConfig,
    TrainingConfig,
    from_dict,
    load_config,
    override,
    shipped,
)

__all__ = [
    "AugmentConfig",
    "Config",
    "DataConfig",
    "DistillationConfig",
    "LayerConfig",
    "NetworkConfig",
    "TrainingConfig",
    "from_dict",
    "load_config",
    "override",
    "shipped",
]
