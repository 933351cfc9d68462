"""Who may import whom, and what stays unloaded until it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = (
    "spikewright.contract",
    "spikewright.support",
    "spikewright.data",
    "spikewright.learn",
    "spikewright.nir",
    "spikewright.integer",
    "spikewright.layout",
    "spikewright.predict",
    "spikewright.report",
    "spikewright.sweep",
    "spikewright_hw",
    "spikewright.build",
    "spikewright.viewer",
    "spikewright_sim",
    "spikewright_boards",
    "spikewright.api",
    "spikewright.cli",
    "spikewright",
)
"""The rooms from the ground up: each may import those before it. The last is the package's face."""
HEAVY = (
    "torch",
    "numpy",
    "scipy",
    "h5py",
    "amaranth",
    "amaranth_boards",
    "cocotb",
    "safetensors",
    "tqdm",
    "matplotlib",
    "plotly",
    "distributed",
)


def imported(source: Path, package: str) -> set[str]:
    """Absolute names of all modules that a file imports, at any depth of nesting."""
    names = set()
    for node in ast.walk(ast.parse(source.read_text(), str(source))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (parent, node.module)))
            names.add(module)
            # `from package import module` names a module too.
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def modules(base: str) -> dict[str, Path]:
    """Sources below a top-level folder, by the name of their module."""
    found = {}
    for path in sorted((ROOT / base).rglob("*.py")):
        parts = path.relative_to(ROOT / base).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


SOURCES = {name: path for base in ("sw", "hw", "sim", "boards") for name, path in modules(base).items()}


def room_of(module: str) -> str:
    first, _, rest = module.partition(".")
    inner = f"{first}.{rest.partition('.')[0]}"
    return inner if inner in ORDER else first


def imports_of(module: str) -> set[str]:
    """Modules of the project that a module imports, those inside functions included."""
    path = SOURCES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = {name for name in imported(path, package) if name.partition(".")[0] in PACKAGES}
    # Beside its version, the rooms take nothing of the package's face; whatever they did would be named here.
    names -= {"spikewright", "spikewright.__version__"}
    # A name that is no module is something in one.
    return {name if name in SOURCES else name.rpartition(".")[0] for name in names} & SOURCES.keys()


PACKAGES = {room_of(name).partition(".")[0] for name in SOURCES}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Names that lead back to the first of them; empty if there is no circle."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            if found := visit(other, [*way, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


def loaded_after(code: str) -> set[str]:
    """Top-level packages in `sys.modules` after running `code` in a new interpreter."""
    code += "\nimport sys; print('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.rpartition("LOADED")[2].split())


def test_the_contract_loads_neither_torch_nor_amaranth() -> None:
    contract = [name for name in SOURCES if room_of(name) == "spikewright.contract"]
    loaded = loaded_after(f"import {', '.join(contract)}")
    assert "numpy" in loaded
    assert not loaded & {"torch", "amaranth", "h5py", "cocotb"}


def test_hardware_loads_no_torch() -> None:
    names = [name for name in SOURCES if room_of(name) == "spikewright_hw"]
    assert len(names) > 10
    loaded = loaded_after("import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names))
    assert not loaded & {"torch", "h5py", "scipy", "cocotb"}


def test_hardware_imports_only_the_contract_of_the_software() -> None:
    for name in SOURCES:
        if room_of(name) == "spikewright_hw":
            rooms = {room_of(other) for other in imports_of(name)}
            assert rooms <= {"spikewright_hw", "spikewright.contract"}, f"{name} imports {sorted(rooms)}"


def test_every_room_has_its_place() -> None:
    folders = {f"spikewright.{path.parent.name}" for path in (ROOT / "sw" / "spikewright").glob("*/__init__.py")}
    assert folders | PACKAGES == set(ORDER)


@pytest.mark.parametrize("room", ORDER)
def test_rooms_import_only_what_is_below_them(room: str) -> None:
    allowed = set(ORDER[: ORDER.index(room) + 1])
    names = [name for name in SOURCES if room_of(name) == room]
    assert names
    for name in names:
        rooms = {room_of(other) for other in imports_of(name)}
        assert rooms <= allowed, f"{name} imports {sorted(rooms - allowed)}"


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = {name: imports_of(name) - {name, *_parents(name)} for name in SOURCES}
    assert circle(graph) == []


def _parents(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def test_no_folders_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name in SOURCES:
        own = str(SOURCES[name].parent.relative_to(ROOT))
        others = {str(SOURCES[other].parent.relative_to(ROOT)) for other in imports_of(name)}
        graph.setdefault(own, set()).update(others - {own})
    assert circle(graph) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_the_face_loads_nothing_heavy() -> None:
    loaded = loaded_after("import spikewright as sw\nassert 'AdaBreg' in dir(sw) and 'AdaBreg' in sw.__all__")
    assert "spikewright" in loaded
    assert not loaded & {*HEAVY, "argparse", "dataclasses"}
    assert not {name for name in loaded if name.startswith("spikewright_")}


def test_optimizers_load_no_hardware() -> None:
    loaded = loaded_after("from spikewright import L1, AdaBreg, parameter_groups")
    assert "torch" in loaded
    assert not loaded & {"h5py", "scipy", "numba", "amaranth", "cocotb", "matplotlib"}


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["generate", "--help"], ["data", "synth", "--help"]])
def test_help_loads_nothing_heavy(argv: list[str]) -> None:
    loaded = loaded_after(f"from spikewright.cli.main import main\nassert main({argv!r}) == 0")
    assert "spikewright" in loaded
    assert not loaded & set(HEAVY)
    assert not {name for name in loaded if name.startswith("spikewright_")}
