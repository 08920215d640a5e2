# make test    everything that a change must pass (what CI runs)
# make check   linters, types, layers: no test is run
# make demo    three real programs; ARGS="--for 20s" ends it by itself
# make fuzz    10^5 generated inputs for each parser, 10^6 of Logs Insights; most of an hour
# make bench   speed and memory beside the peers
# make web     the page, from web/ to src/clerestory/ui/dist
# make docs    the generated reference pages

PYTHON ?= python3.11
ARGS ?=
TESTS ?= tests
BIN := .venv/bin
INSTALLED := .venv/installed

FUZZED := tests/server/test_fuzz.py tests/server/test_search_language.py tests/server/insights tests/sdk/test_any_value.py \
  tests/server/xray tests/wire/xray tests/xray tests/destinations/services/test_xray.py

.PHONY: demo test check fuzz web docs bench lock debian clean

$(INSTALLED): pyproject.toml locks/requirements.txt $(wildcard hatch_build.py)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c locks/requirements.txt -e '.[test]'
	touch $@

demo: $(INSTALLED) web
	$(BIN)/clerestory demo $(ARGS)

# Two at a time, since most of them wait; then those that measure time.
test: debian check
	$(BIN)/python -m pytest $(TESTS) -n 2 --dist loadfile -m "not alone" $(ARGS)
	$(BIN)/python -m pytest $(TESTS) -m alone $(ARGS) || [ $$? = 5 ]

fuzz: $(INSTALLED)
	CLERESTORY_FUZZ_EXAMPLES=100000 $(BIN)/python -m pytest $(FUZZED) --timeout 7200 $(ARGS)

check: $(INSTALLED) web
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/web.py check
	$(BIN)/python tools/reference.py --check

web: $(INSTALLED)
	$(BIN)/python tools/web.py build

docs: $(INSTALLED)
	$(BIN)/python tools/reference.py

bench: $(INSTALLED)
	$(BIN)/python -m pip install --quiet -c locks/requirements.txt -e '.[bench]'
	$(BIN)/python benchmarks/run.py $(ARGS)

lock: $(INSTALLED)
	{ echo "# Versions that the tests ran with; 'make' installs these. Written by: make lock"; \
	  $(BIN)/python -m pip freeze --exclude-editable --exclude clerestory; } > locks/new.txt
	mv locks/new.txt locks/requirements.txt

# Real programs that the tests talk to: Chromium, rsyslog, syslog-ng. Root can install them; others
# see a loud skip. Debian's syslog-ng and rsyslog exclude each other, so one is only unpacked.
debian:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then sh tools/debian.sh; \
	else echo "not root on Debian: tests of what is not installed are skipped"; fi

clean:
	rm -rf .venv web/node_modules src/clerestory/ui/dist .mypy_cache .ruff_cache .pytest_cache
