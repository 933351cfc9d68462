"""Who may import whom, and what stays unloaded until it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPECIFICATION = tuple(f"spikewright.{name}" for name in ("arrays", "decay", "spec", "image"))
"""What the rooms share: integers and plain arrays."""
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


def modules(room: str, package: str) -> list[Path]:
    return sorted((ROOT / room / package).rglob("*.py"))


def package_of(source: Path, room: str) -> str:
    return ".".join(source.relative_to(ROOT / room).parent.parts)


def loaded_after(code: str) -> set[str]:
    """Top-level packages in `sys.modules` after running `code` in a new interpreter."""
    code += "\nimport sys; print('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.rpartition("LOADED")[2].split())


def test_the_specification_loads_neither_torch_nor_amaranth() -> None:
    loaded = loaded_after(f"import {', '.join(SPECIFICATION)}")
    assert "numpy" in loaded
    assert not loaded & {"torch", "amaranth", "h5py", "cocotb"}


def test_hardware_loads_no_torch() -> None:
    sources = modules("hw", "spikewright_hw")
    assert sources
    names = [".".join(path.relative_to(ROOT / "hw").with_suffix("").parts) for path in sources]
    loaded = loaded_after("import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names))
    assert not loaded & {"torch", "h5py", "scipy", "cocotb"}


def test_hardware_imports_only_the_specification_of_the_software() -> None:
    sources = modules("hw", "spikewright_hw")
    assert sources
    for source in sources:
        foreign = {
            name
            for name in imported(source, package_of(source, "hw"))
            if name.partition(".")[0] in ("spikewright", "spikewright_sim", "spikewright_boards")
        }
        wrong = {name for name in foreign - {"spikewright"} if ".".join(name.split(".")[:2]) not in SPECIFICATION}
        assert not wrong, f"{source} imports {sorted(wrong)}"


@pytest.mark.parametrize("room", ["hw", "sim", "boards"])
def test_the_data_flow_has_one_direction(room: str) -> None:
    later = {"hw": ("spikewright_sim", "spikewright_boards"), "sim": ("spikewright_boards",), "boards": ()}[room]
    for source in modules(room, f"spikewright_{room}"):
        names = {name.partition(".")[0] for name in imported(source, package_of(source, room))}
        assert not names & set(later), f"{source} imports {sorted(names & set(later))}"


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["generate", "--help"], ["data", "synth", "--help"]])
def test_help_loads_nothing_heavy(argv: list[str]) -> None:
    loaded = loaded_after(f"from spikewright.cli import main\nassert main({argv!r}) == 0")
    assert "spikewright" in loaded
    assert not loaded & set(HEAVY)
    assert not {name for name in loaded if name.startswith("spikewright_")}
