# Few commands, one place. `make demo` needs Python 3.11+ and make; everything else is fetched once and kept.
PYTHON ?= python3
RUN := .venv/bin/python
unexport PYTHONDONTWRITEBYTECODE  # a server's sources compiled anew are half of its start, and tests start hundreds

.PHONY: demo test check lint types unit setup test-setup clean

demo: setup            ## the whole desk on this machine; ONCE=1 ends after one real answer
	.venv/bin/frontdesk demo $(if $(ONCE),--once)

setup:                 ## environment and weights; a second run downloads nothing
	@$(PYTHON) scripts/bootstrap.py

test-setup:
	@$(PYTHON) scripts/bootstrap.py --test

test: test-setup       ## everything that needs no GPU: linters, types, layers, tests
	@$(MAKE) --no-print-directory lint types
	@$(RUN) -m pytest -n 2 --dist loadscope $(ARGS) || \
	  { echo "Failed beside other tests; each of them once more by itself:"; \
	    $(RUN) -m pytest --last-failed --last-failed-no-failures none $(ARGS); }

check: test-setup      ## linters, types, layers
	@$(MAKE) --no-print-directory lint types

lint:
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types:
	$(RUN) -m mypy
	$(RUN) -c "from importlinter.cli import lint_imports_command as run; run()"

unit: test-setup       ## the quick tests only
	@$(RUN) -m pytest -m "not loop and not postgres and not browser and not faults" $(ARGS)

clean:                 ## forget this checkout's launchers and caches; shared environments and weights stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
