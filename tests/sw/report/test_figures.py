from types import SimpleNamespace

from spikewright.report.figures import SETTINGS, adams, by, panel_title, settings_of


def group(network="shd 1-2-3", variant="", method=("adam", "none"), lam=None, target=None):
    return SimpleNamespace(network=network, variant=variant, method=method, lam=lam, target=target)


def test_a_panel_is_told_from_the_others_of_its_figure():
    one, other = group(variant="lr 1"), group(network="ssc 1-2-3")
    assert panel_title(one, [one], "Adam") == "Adam, lr 1"
    assert panel_title(one, [one, other], "Adam") == "shd 1-2-3, Adam, lr 1"
    assert panel_title(group(), [one]) == ""


def test_baselines_are_those_by_adam():
    one, other = group(), group(method=("adabreg", "none"))
    assert adams([one, other]) == [one]


def test_settings_fill_their_columns():
    values = settings_of(group(method=("adabreg", "cosine"), lam=0.5))
    assert dict(zip(SETTINGS, values, strict=True)) == {
        "network": "shd 1-2-3", "variant": "", "optimizer": "adabreg", "schedule": "cosine", "lambda": 0.5,
        "target": None,
    }  # fmt: skip


def test_items_keep_the_order_of_their_keys():
    assert by([3, 1, 2, 5, 4], lambda item: item % 2) == {1: [3, 1, 5], 0: [2, 4]}
    assert list(by([2, 1], lambda item: item)) == [2, 1]
