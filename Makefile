# `make demo` and `make test` set everything up by themselves, in .venv.

# The first Python that the package supports; `make PYTHON=... test` picks another.
SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
RUN := $(VENV)/bin/python

export TF_CPP_MIN_LOG_LEVEL ?= 2
# MNIST from a folder beside the checkout, where there is one.
ifneq ($(wildcard ../shared/data/mnist.npz),)
export KERAS_ATTEND_DATA ?= $(abspath ../shared/data)
endif

.PHONY: help demo speeds test test-models test-web test-slow test-hostile test-kills
.PHONY: bench lint test-next notebooks papers zoo zoo-check browser clean test-toolkits web npm docs
.PHONY: site
.DELETE_ON_ERROR:

help:
	@echo "make demo       classify the sample digits, follow one, draw what the models see"
	@echo "make test       style, types, and the tests on TensorFlow and on JAX"
	@echo "make test-models  layers and models on JAX, and the long tests on TensorFlow"
	@echo "make web        build the page in which models run in the browser: build/web"
	@echo "make test-web   that page, and those of \`track\`, in a headless Chromium"
	@echo "make test-slow  the slow tests, and all of them on JAX"
	@echo "make test-hostile  all attacks on presets, files, servers and trainings"
	@echo "make test-kills  ten random kills of each recipe's training; it takes hours"
	@echo "make test-toolkits  GOT-10k's and VOT's toolkits run our trackers"
	@echo "make test-next  the tests on the newest pre-releases of the backends"
	@echo "make bench      the benchmarks on TensorFlow and on JAX, on one core"
	@echo "make speeds     how fast the presets are on one core, into zoo/speeds.json"
	@echo "make docs       build the site in docs/_build/html, and check it"
	@echo "make site       the same with the page in the browser, as it is published"
	@echo "make notebooks  run the tutorials and store what they show"
	@echo "make zoo        the presets' cards and tables"
	@echo "make papers     the papers' tables and figures beside ours: docs/papers/*.md"
	@echo "make zoo-check  load and check every preset, measure a sample of its results"
	@echo "make clean      remove what these made"

demo: $(VENV)/.plots
	$(RUN) -m keras_attend demo --out .demo

lint: $(VENV)/.dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

# What JAX runs in `make test`: small things. `test-models` runs all layers and models.
ON_JAX := tests/layers/test_retina.py \
	$(foreach name,boxes losses metrics policies reinforce unroll,\
	$(wildcard tests/test_$(name).py))
# TensorFlow's tests in two lanes that take as long: what trains, and the rest after JAX.
FIRST := $(wildcard $(addprefix tests/,\
	datasets evaluation layers models tracking training video))
SECOND := $(filter-out $(FIRST) tests/golden tests/__pycache__,\
	$(patsubst %/,%,$(wildcard tests/*/)) $(sort $(wildcard tests/test_*.py)))
BARE := $(RUN) -m pytest -p no:cacheprovider
# What is about the package, and not about a backend, runs on TensorFlow alone.
OURS := not slow and not hostile and not web and not toolkits
SHORT := $(OURS) and not long
PYTEST := $(BARE) -m "$(SHORT)"
PYTEST_ON_JAX := $(BARE) -m "$(SHORT) and not packaging"

ON_JAX_TOO := $(BARE) -m "$(OURS) and not packaging"

# Two lanes at a time. The second's output comes after the first's, and any may fail.
test: lint
	@mkdir -p build; \
	echo "== pytest on TensorFlow; on JAX; the rest on TensorFlow"; \
	( KERAS_BACKEND=jax $(PYTEST_ON_JAX) $(ON_JAX); jax=$$?; \
	KERAS_BACKEND=tensorflow $(PYTEST) $(SECOND); exit $$((jax | $$?)) ) \
		> build/test-second.log 2>&1 & second=$$!; \
	KERAS_BACKEND=tensorflow $(PYTEST) $(FIRST); first=$$?; \
	wait $$second; second=$$?; \
	echo "== pytest on JAX, and the rest on TensorFlow"; \
	cat build/test-second.log; exit $$((first | second))

# What `test` leaves out and must not break: models on JAX (forward, `fit`, golden files);
# beside them the long tests, and the guides, on TensorFlow, and layers on JAX.
test-models: $(VENV)/.dev
	@mkdir -p build; \
	echo "== models on JAX; the long tests on TensorFlow, and layers on JAX"; \
	( export KERAS_BACKEND=tensorflow; \
	$(BARE) -m "long and not slow" tests/models; models=$$?; \
	$(BARE) -m "long and not slow" $(filter-out tests/models,$(FIRST)) $(SECOND); \
	others=$$?; $(BARE) -m slow tests/test_guides.py; guides=$$?; \
	export KERAS_BACKEND=jax; $(ON_JAX_TOO) tests/layers tests/tracking; \
	exit $$((models | others | guides | $$?)) ) \
		> build/test-models.log 2>&1 & long=$$!; \
	KERAS_BACKEND=jax $(ON_JAX_TOO) tests/models; jax=$$?; \
	wait $$long; long=$$?; \
	echo "== the long tests on TensorFlow, and layers on JAX"; \
	cat build/test-models.log; exit $$((jax | long))

# The page that is served: the presets are exported when they or the exporters changed.
web: build/web/index.html

WEB_FILES := $(shell find web -path web/node_modules -prune -o -type f -print)
build/web/index.html: $(WEB_FILES) build/web-models/models.json \
		web/node_modules/.package-lock.json
	$(RUN) web/build.py page build/web --models build/web-models
	@touch $@
	@echo "$(RUN) -m http.server --bind 127.0.0.1 --directory build/web"

build/web-models/models.json: web/build.py $(wildcard keras_attend/exporters/*.py \
		$(foreach name,hart_kitti ram_cluttered_mnist,zoo/$(name)/*.json \
		zoo/$(name)/*.h5)) | $(VENV)/.dev
	KERAS_BACKEND=tensorflow $(RUN) web/build.py models build/web-models

web/node_modules/.package-lock.json: web/package-lock.json | npm
	cd web && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

npm:
	@command -v npm >/dev/null || { \
	echo "npm is needed: apt-get install npm"; exit 1; }

# In a real browser, which pip does not install.
test-web: browser npm $(VENV)/.dev web
	KERAS_BACKEND=tensorflow $(RUN) -m pytest -p no:cacheprovider -m web tests/web

browser:
	@for name in chromium chromium-browser google-chrome; do \
	command -v $$name >/dev/null && found=yes; done; \
	test -n "$$found" && command -v chromedriver >/dev/null || { \
	echo "Chromium and ChromeDriver are needed: apt-get install chromium chromium-driver"; \
	exit 1; }

# The same two lanes as in `test`: one backend each. A process keeps what its tests have
# compiled, up to 10 GB, so that each lane is three processes, one after the other.
OTHERS := $(filter-out tests/models tests/training,$(FIRST) $(SECOND))
IN_PARTS = failed=0; for part in tests/models tests/training "$(OTHERS)"; do \
	$(BARE) --durations 15 -m $(1) $$part || failed=1; done; exit $$failed
test-slow: $(VENV)/.dev
	@mkdir -p build; \
	echo "== the long tests on TensorFlow; beside them, all others on JAX"; \
	( export KERAS_BACKEND=jax; $(call IN_PARTS,\
		"not packaging and not hostile and not web and not toolkits") ) \
		> build/test-slow.log 2>&1 & other=$$!; \
	( export KERAS_BACKEND=tensorflow; $(call IN_PARTS,"slow or long") ); first=$$?; \
	wait $$other; other=$$?; \
	echo "== all tests on JAX"; cat build/test-slow.log; exit $$((first | other))

# Attacks: on presets, servers, files of all kinds, and kills of trainings. Both parts
# run; the second, all attacks of attacks.py, lists at its end what is not safe and clear.
test-hostile: $(VENV)/.dev
	@KERAS_BACKEND=tensorflow $(RUN) -m pytest -p no:cacheprovider \
		-m "hostile or not slow" tests/hostile; tests=$$?; \
	echo "== all attacks of tests/hostile/attacks.py"; \
	KERAS_BACKEND=tensorflow $(RUN) tests/hostile/harness.py; exit $$((tests | $$?))

# What is compiled is kept for the next life, so that ten lives fit into minutes.
PROGRAMS = $(abspath build/kills/programs)
test-kills: export TF_XLA_FLAGS ?= --tf_xla_persistent_cache_directory=$(PROGRAMS)
test-kills: export JAX_COMPILATION_CACHE_DIR ?= $(PROGRAMS)
test-kills: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS ?= 0
# What was done is kept in build/kills; `make KILLS="hart_street --by steps" test-kills`
# does a part.
test-kills: $(VENV)/.dev
	@KERAS_BACKEND=jax $(RUN) tests/hostile/kills.py --runs build/kills $(KILLS); jax=$$?; \
	KERAS_BACKEND=tensorflow $(RUN) tests/hostile/kills.py --runs build/kills $(KILLS); \
	exit $$((jax | $$?))

# Other toolkits' own code, in an environment of its own: VOT's brings another OpenCV.
TOOLKITS := $(VENV)-toolkits
test-toolkits:
	test -x $(TOOLKITS)/bin/python || $(PYTHON) -m venv $(TOOLKITS)
	$(TOOLKITS)/bin/python -m pip install --quiet --disable-pip-version-check \
		-e ".[toolkits]" pytest
	KERAS_BACKEND=tensorflow $(TOOLKITS)/bin/python -m pytest -p no:cacheprovider \
		-m toolkits tests/adapters

# The newest Keras, TensorFlow and JAX that can be installed, pre-releases among them,
# in an environment of their own; `make TESTS=tests/layers test-next` runs a part.
NEXT := $(VENV)-next
TESTS ?= tests
test-next:
	test -x $(NEXT)/bin/python || $(PYTHON) -m venv $(NEXT)
	$(NEXT)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	$(NEXT)/bin/python -m pip install --quiet --disable-pip-version-check \
		--pre --upgrade tensorflow jax
	@# Both packages are called `keras` in Python: the nightly one takes its place.
	$(NEXT)/bin/python -m pip uninstall --quiet --yes keras
	$(NEXT)/bin/python -m pip install --quiet --disable-pip-version-check \
		--pre --upgrade --force-reinstall --no-deps keras-nightly
	@$(NEXT)/bin/python -c 'import jax, keras, tensorflow as tf; \
	print(f"Keras {keras.__version__}, TensorFlow {tf.__version__}, JAX {jax.__version__}")'
	@KERAS_BACKEND=tensorflow $(NEXT)/bin/python -m pytest $(TESTS); tensorflow=$$?; \
	KERAS_BACKEND=jax $(NEXT)/bin/python -m pytest \
		-m "$(SHORT) and not packaging" \
		$(TESTS); jax=$$?; exit $$((tensorflow | jax))

# One backend a process; either may fail, and both show their tables.
bench: $(VENV)/.bench
	@KERAS_BACKEND=tensorflow $(RUN) -m pytest benchmarks; tensorflow=$$?; \
	KERAS_BACKEND=jax $(RUN) -m pytest benchmarks; jax=$$?; \
	exit $$((tensorflow | jax))

# How fast the presets are on one core, which `keras-attend list` and README show.
speeds: $(VENV)/.all
	KERAS_BACKEND=tensorflow $(RUN) benchmarks/speeds.py

# The site, in an environment of its own that has neither Keras nor a backend: the
# package's source is read, and the notebooks' stored outputs are shown.
DOCS := $(VENV)-docs
docs: $(DOCS)/.ready
	$(DOCS)/bin/python docs/generator
	$(DOCS)/bin/python -m pytest -p no:cacheprovider -o pythonpath=docs docs

site: $(DOCS)/.ready web
	$(DOCS)/bin/python docs/generator --web build/web
	$(DOCS)/bin/python -m pytest -p no:cacheprovider -o pythonpath=docs docs

$(DOCS)/.ready: docs/requirements.txt
	test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

notebooks: $(VENV)/.dev
	$(RUN) notebooks/store.py

zoo: $(VENV)/.plots
	$(RUN) -m keras_attend.training.cards
	$(RUN) docs/generator/zoo_tables.py

# From stored results; the cards show what it labels these with.
papers: $(VENV)/.plots
	$(RUN) -m keras_attend.training.papers
	$(RUN) -m keras_attend.training.cards
	$(RUN) docs/generator/zoo_tables.py

# On JAX, on which they were trained; `.dev` has what reads videos.
zoo-check: $(VENV)/.dev
	KERAS_BACKEND=jax $(RUN) -m keras_attend.training.zoo_check

# A stamp for each set of extras, made again when the dependencies change.
$(VENV)/.plots $(VENV)/.dev $(VENV)/.bench $(VENV)/.all: $(VENV)/.%: pyproject.toml | $(RUN)
	$(RUN) -m pip install --quiet --disable-pip-version-check -e ".[$*]"
	@touch $@

$(RUN):
	@test -n "$(PYTHON)" || { \
	echo "Python 3.11, 3.12 or 3.13 with its venv module is needed."; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) $(VENV)-next $(VENV)-toolkits $(VENV)-docs docs/_build .demo build dist
	rm -rf *.egg-info .benchmarks
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
