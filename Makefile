# ORBIS: `make` sets everything up in .venv and runs the demo; `make help` lists the rest.

PYTHON ?= python3.11
VENV := .venv
BUILD := build
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STEPS := 12
SEED := 0
CLASS := carphone

.DEFAULT_GOAL := demo
.PHONY: demo setup test lint verilog bench clean help
.DELETE_ON_ERROR:

demo: verilog ## Denoise a video while the simulated engine matches its tokens (the default)
	$(BIN)/orbis video --backend rtl --class $(CLASS) --steps $(DEMO_STEPS) --seed $(SEED) -o $(BUILD)/video
	@echo
	@echo "The videos side by side:  $(BUILD)/video/sheet.png (and video.mp4, video.gif)"
	@echo "The metrics:              $(BUILD)/video/metrics.json"
	@echo "The engine's Verilog:     $(BUILD)/verilog/orbis_demo.v (and orbis_demo.json)"

setup: $(STAMP) ## Install the project and its pinned dependencies into .venv

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11, on Debian with \`apt-get install python3.11 python3.11-venv\`" >&2; exit 1; }
	@echo "Installing into $(VENV): some minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,train]'
	@touch $@

test: setup ## Run every test: golden model, each unit's testbench, the engine, the software
	$(BIN)/python -m pytest -n 2

lint: setup ## Check style, types, and the Verilog of every preset
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m synth.lint

verilog: setup ## Write the demo engine's Verilog and its description to build/verilog
	$(BIN)/orbis verilog --preset demo -o $(BUILD)/verilog

bench: setup ## Engine cycles a second: native harness, cocotb, and Amaranth's own simulator
	$(BIN)/python -m software.bench

clean: ## Remove what was built; .venv and the cache of simulators stay
	rm -rf $(BUILD)

help: ## Show this list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
