# Both targets of a newcomer set up .venv first: once, and again when the dependencies change.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed

.PHONY: demo test lint formal fuzz mutants mutants-python coverage layout docs results release-check clean

demo: $(STAMP)
	@$(VENV)/bin/spikewright demo

test: $(STAMP)
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 10 tests

lint: $(STAMP)
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy

# Proofs of the components with SymbiYosys and z3; minutes.
formal: $(STAMP)
	@$(VENV)/bin/python -m spikewright_sim.formal

# Random networks through Verilog: make fuzz FUZZ='--examples 5000 --minutes 600'.
fuzz: $(STAMP)
	@$(VENV)/bin/python tests/fuzz.py $(FUZZ)

# Faults in the core, and how many of them its simulation notices; a minute.
mutants: $(STAMP)
	@$(VENV)/bin/python -m spikewright_sim.mutants $(MUTANTS)

# Faults in rounding, packing and the cycle model; hours for all: make mutants-python MUTANTS='layout.pack --sample 50'.
mutants-python: $(STAMP)
	@$(VENV)/bin/python tests/python_mutants.py $(MUTANTS)

# Coverage of the Verilog, then of the Python by the whole test suite: slow.
coverage: $(STAMP)
	@$(VENV)/bin/python -m spikewright_sim.coverage
	@$(VENV)/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report term:skip-covered tests

# A tiny network placed, routed, compared and simulated, where qflow is installed; minutes.
layout: $(STAMP)
	@$(VENV)/bin/python bench/layout.py

# The site, in site/; warnings are errors. Its tools come into .venv the first time.
docs: $(VENV)/.docs
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --quiet --strict
	@echo "site/index.html"

$(VENV)/.docs: $(STAMP)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

# Pages of results and drawings, from the figures in bench/results.
results: $(STAMP)
	@$(VENV)/bin/python bench/results.py
	@$(VENV)/bin/python bench/figures.py

# What would be published, tried as its users would: the wheel in an empty environment, and the tests of the source
# distribution (all of them: make release-check RELEASE_TESTS=tests). Minutes, and a few GB.
RELEASE_TESTS ?= tests/test_docs.py tests/test_rooms.py tests/test_readme.py tests/sw/contract tests/hw/test_update.py
release-check: $(STAMP)
	@rm -rf build/release && mkdir -p build/release
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[release]'
	@$(VENV)/bin/python -m build --no-isolation --outdir build/release . > build/release/build.log
	@rm -rf build/lib build/bdist.*
	@$(PYTHON) -m venv build/release/venv
	@build/release/venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt build/release/*.whl
	@cd build/release && venv/bin/spikewright --version && venv/bin/spikewright demo
	@cd build/release && tar -xzf spikewright-*.tar.gz && cd spikewright-*/ && \
		PYTHONPATH=sw:hw:sim:boards $(abspath $(VENV))/bin/python -m pytest -q $(RELEASE_TESTS)

clean:
	rm -rf $(VENV)

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "spikewright: needs $(PYTHON): install Python 3.11 or newer, or name it: make PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("spikewright: needs Python 3.11 or newer, not %d.%d; name another: make PYTHON=..." % v[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "spikewright: needs Python's venv module: install python3-venv" >&2; exit 2; }
	@command -v g++ >/dev/null || { echo "spikewright: needs g++, which is not on PATH: install it with the packages of your system" >&2; exit 2; }
	@echo "spikewright: installing into $(VENV); a few minutes, once" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
