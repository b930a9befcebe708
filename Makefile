# make verify   the main job: derive, re-check, measure and attack the theorem on real inputs
# make test     the tests
# Each makes an environment of its own first, with nothing needed but Python >= 3.11 and an index.
# PYTHON=/path/to/python chooses the interpreter, ARGS="..." goes to the command that is run.

PYTHON ?= python3
ARGS ?=

.DELETE_ON_ERROR:
.PHONY: verify test ledger test-all test-lowest optimised lint format types latex bench \
	wheel import-time clean help

help:
	@sed -n -e 's/^# \(make .*\)/\1/p' -e 's/^# \(PYTHON=.*\)/\n\1/p' Makefile

verify: .venv/made
	.venv/bin/widthproof verify $(ARGS)

test: .venv-test/made
	.venv-test/bin/python -m pytest $(ARGS)

# make ledger       every row of the ledger, quickly, compared with docs/ledger.md
ledger: .venv-test/made
	.venv-test/bin/widthproof ledger --quick --check docs/ledger.md $(ARGS)

# -- less often ------------------------------------------------------------------------------------
# make test-all     also the tests marked slow
test-all: .venv-test/made
	.venv-test/bin/python -m pytest -m "slow or not slow" $(ARGS)

# make test-lowest  the tests with the oldest dependencies that pyproject.toml admits
test-lowest: .venv-lowest/made
	.venv-lowest/bin/python -m pytest $(ARGS)

# make optimised    the proof checks under python -O, where assert statements of the packages vanish
# pytest rewrites the asserts of test modules, so those still count; the canary makes sure of it.
OPTIMISED = .venv-test/bin/python -O -m pytest \
	-W "ignore:assertions not in test modules:pytest.PytestConfigWarning"
optimised: .venv-test/made
	@mkdir -p build
	@printf 'def test_canary():\n    assert False\n' > build/test_canary.py
	@$(OPTIMISED) -q build/test_canary.py > build/canary.log; test $$? -eq 1 || \
		{ cat build/canary.log; echo "asserts of tests do not count under -O" >&2; exit 1; }
	$(OPTIMISED) tests/theory tests/proofs_check $(ARGS)

# make lint         ruff; `make format` mends what it can
lint: .venv-test/made
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .

format: .venv-test/made
	.venv-test/bin/ruff check --fix .
	.venv-test/bin/ruff format .

# make types        mypy, strict
types: .venv-test/made
	.venv-test/bin/mypy

# make latex        a PDF of all theorems of the catalogue, in build/latex (needs latexmk, pdflatex)
latex: .venv-test/made
	.venv-test/bin/widthproof latex --all --pdf --output build/latex

# make bench        the benchmarks, each in a process of its own
bench: .venv/made
	set -e; for script in benchmarks/*.py; do .venv/bin/python "$$script"; done

# make wheel        builds the wheel, and tries it alone in build/installed
wheel: .venv-test/made
	rm -rf build/wheel build/installed
	.venv-test/bin/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	.venv-test/bin/python -m pip install --quiet --no-deps --target build/installed build/wheel/*.whl
	PYTHONPATH=build/installed .venv-test/bin/python -P .ci/check_wheel.py build/installed

# make import-time  how long `import theory` takes
import-time: .venv-test/made
	.venv-test/bin/python .ci/import_time.py

clean:
	rm -rf .venv .venv-test .venv-lowest build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# -- environments ----------------------------------------------------------------------------------
# The stamp is written last, so an interrupted install does not count as made. Removing the old
# environment first keeps packages that are no longer asked for from staying behind.
.venv/made: pyproject.toml
	$(call environment,.venv,-e .)

.venv-test/made: pyproject.toml
	$(call environment,.venv-test,-e '.[test$(comma)frameworks$(comma)cluster$(comma)dev]')

.venv-lowest/made: pyproject.toml
	@mkdir -p build
	sed -n 's/^ *"\([a-z0-9-]*\)>=\([0-9.]*\)",$$/\1==\2/p' pyproject.toml > build/lowest.txt
	$(call environment,.venv-lowest,-e '.[test]' -c build/lowest.txt)

comma := ,
define environment
@$(PYTHON) -c '' || { \
	echo "make: no Python answers to '$(PYTHON)'; Python 3.11 or later is needed:" \
		"install it, or say where it is with make PYTHON=/path/to/python3" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "make: '$(PYTHON)' is $$($(PYTHON) --version); Python 3.11 or later is needed:" \
		"install it, or say where it is with make PYTHON=/path/to/python3" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' || { \
	echo "make: '$(PYTHON)' comes without the modules venv and ensurepip, which are needed:" \
		"install them (on Debian: apt-get install python3-venv)" >&2; exit 1; }
@echo "make: installing what pyproject.toml asks for into $(1); this takes a minute or two"
rm -rf $(1)
$(PYTHON) -m venv $(1)
$(1)/bin/python -m pip install --quiet --disable-pip-version-check $(2)
touch $@
endef
