# ORBIS: `make` sets everything up in .venv and runs the demo; `make help` lists the rest.

PYTHON ?= python3.11
VENV := .venv
BUILD := build
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STEPS := 12
SEED := 0
CLASS := carphone
LAYER := software/demo/weights/tokens.npy --num-dst 128 --reduce 195 --backend rtl --preset demo
GATE_TESTS := tb/bus/test_axi_lite.py tb/pair/test_dau.py tb/pair/test_least_two.py \
  tb/refine/test_nearest_member.py tb/sort/test_topk.py

.DEFAULT_GOAL := demo
.PHONY: demo setup test lint style types lint-verilog lec formal mutants verilog bench gatesim figures \
  evaluation cycles fullsize exploration clean help
.DELETE_ON_ERROR:

demo: verilog ## Denoise a video while the simulated engine matches its tokens (the default)
	$(BIN)/orbis video --backend rtl --class $(CLASS) --steps $(DEMO_STEPS) --warm-up 1 --seed $(SEED) -o $(BUILD)/video
	@echo
	@echo "The videos side by side:  $(BUILD)/video/sheet.png (and video.mp4, video.gif)"
	@echo "The metrics:              $(BUILD)/video/metrics.json"
	@echo "The engine's Verilog:     $(BUILD)/verilog/orbis_demo.v (and orbis_demo.json)"

setup: $(STAMP) ## Install the project and its pinned dependencies into .venv

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11, on Debian with \`apt-get install python3.11 python3.11-venv\`" >&2; exit 1; }
	@echo "Installing into $(VENV): some minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# A test at a time on each core: torch's own threads would wait for each other.
test: setup ## Run every test: golden model, each unit's testbench, the engine, the software
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: style types lint-verilog ## Check style, types, and the Verilog of every preset

style: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/mypy

lint-verilog: setup
	$(BIN)/python -m synth.lint

lec: setup ## Prove that the engine's Verilog and netlists do what the design does
	$(BIN)/python -m synth.lec --json docs/lec.json

formal: setup ## Prove properties of units, refute broken ones, and run all slow tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest formal -n 2 --dist worksteal -m "slow or not slow"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest mutants software tb -n 2 --dist worksteal -m slow

mutants: setup ## Break units of hw in thousands of ways, and see what notices: a night, resumes
	OMP_NUM_THREADS=1 $(BIN)/python -m mutants --jobs $(or $(JOBS),2) $(if $(SAMPLE),--sample $(SAMPLE) --seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))
	$(BIN)/python -m software.study.figures

verilog: setup ## Write the demo engine's Verilog and its description to build/verilog
	$(BIN)/orbis verilog --preset demo -o $(BUILD)/verilog

bench: setup ## Speed: simulators against Amaranth's, the matcher and attention against their bounds
	$(BIN)/python -m software.study.bench

gatesim: setup ## Run testbenches on netlists of library cells: DAU, top-k, what lec leaves
	GATES=$(or $(GATES),1) $(BIN)/python -m pytest -n 2 $(GATE_TESTS)

figures: demo ## Measure again and refresh README and docs; LIBRARIES="F ..." adds cell libraries
	cp $(BUILD)/video/sheet.png docs/sheet.png
	cp $(BUILD)/video/metrics.json docs/video.json
	$(BIN)/orbis area --preset demo --joined --json docs/area.json --plot docs/area.png
	$(BIN)/orbis area --preset paper --period 1.2 --joined --json docs/area_paper.json --plot docs/area_paper.png
	for model in cogvideox-5b hunyuanvideo; do for arrangement in own shared; do \
	  $(BIN)/orbis cycles --model $$model --arrangement $$arrangement --json > $(BUILD)/cycles.json && \
	  mv $(BUILD)/cycles.json docs/cycles_$${model}_$$arrangement.json || exit; done; done
	$(if $(LIBRARIES),$(BIN)/orbis libraries $(addprefix -l ,$(LIBRARIES)) -o docs)
	$(if $(LIBRARIES),$(BIN)/orbis area --preset paper --period 1.2 --joined --liberty $(firstword $(LIBRARIES)) --json docs/area_paper_library.json)
	$(BIN)/orbis match $(LAYER) -o $(BUILD)/pairs.npz --json > $(BUILD)/layer.json
	mv $(BUILD)/layer.json docs/layer.json
	$(BIN)/python -m software.study.bench --json docs/bench.json
	for preset in tiny ulx3s; do \
	  $(BIN)/orbis fpga --preset $$preset -o $(BUILD)/fpga && \
	  mv $(BUILD)/fpga/orbis_$${preset}_fpga.json docs/fpga_$$preset.json || exit; done
	$(BIN)/python -m synth.lint --json docs/lint.json
	$(BIN)/python -m synth.lec --json docs/lec.json
	$(BIN)/python -m software.study.figures

evaluation: setup ## Measure what reduction costs, by method, and refresh README and docs: long
	$(BIN)/orbis evaluate -o $(BUILD)/evaluation
	cp $(addprefix $(BUILD)/evaluation/,evaluation.json evaluation.png frontier.png) docs/
	$(BIN)/python -m software.study.figures

cycles: setup ## Hold the cycle model against the simulated engine, 114 runs, and refresh docs: long
	$(BIN)/python -m software.study.bench.cycles --json docs/cycles_validation.json
	$(BIN)/python -m software.study.figures

fullsize: setup ## Match a layer of CogVideoX-5B's size on the simulated paper engine: long, resumes
	$(BIN)/python -m software.study.fullsize --checkpoints $(BUILD)/fullsize --json docs/fullsize.json
	for preset in compact quad; do \
	  $(BIN)/python -m software.study.fullsize --preset $$preset --grid 3 12 17 --json docs/match_$$preset.json || exit; done
	$(BIN)/python -m software.study.figures

exploration: setup ## Measure engines of many sizes, and refresh docs: long, resumes
	$(BIN)/orbis explore -o $(BUILD)/exploration
	cp $(addprefix $(BUILD)/exploration/,exploration.json exploration.png) docs/
	$(BIN)/python -m software.study.figures

clean: ## Remove what was built; .venv and the cache of simulators stay
	rm -rf $(BUILD)

help: ## Show this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
