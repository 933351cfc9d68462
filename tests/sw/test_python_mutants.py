import pytest

from python_mutants import TESTS, all_mutants, main, source


# A mutant may compare a literal by identity.
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("module", TESTS)
def test_a_mutant_differs_in_its_place(module: str) -> None:
    mutants = all_mutants(module)
    # `layout.dealt` is the shortest.
    assert len(mutants) > 100
    original = source(module).read_text().splitlines()
    for mutant in mutants[::151]:
        mutated = (mutant.code() or "").splitlines()
        compile("\n".join(mutated), module, "exec")
        changed = [k for k, (old, new) in enumerate(zip(original, mutated, strict=True), 1) if old != new]
        assert changed == [mutant.line]
        assert mutant.change() == (original[mutant.line - 1].strip(), mutated[mutant.line - 1].strip())


def test_functions_that_are_compiled_have_mutants_too() -> None:
    functions = [
        number
        for number, line in enumerate(source("predict.stages").read_text().splitlines(), 1)
        if "def offer" in line
    ]
    assert sum(mutant.line > functions[0] for mutant in all_mutants("predict.stages")) > 500


def test_an_unknown_module_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec"]) == 2
    assert (
        capsys.readouterr().err
        == "modules must be of integer.rounding, layout.prune, layout.lanes, layout.dealt, layout.pack, "
        "predict.stages, predict.cycles_parallel, not spec\n"
    )
